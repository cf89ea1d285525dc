import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { applyPatch, type Operation } from "rfc6902";
import { parse } from "yaml";
import { build, overlays } from "./build.ts";
import type { Manifest } from "./manifest.ts";
import { toBuild } from "./rule.ts";
import { rulesFor } from "./rules/index.ts";

/** A fault, named by its file: what to change in an overlay that is right, or to add to it, and which rule finds it. */
interface Fixture {
  rule: string;
  overlay: string;
  target?: { kind: string; name: string };
  /** Without it, the target is taken away. */
  patch?: Operation[];
  add?: Manifest;
}

const folder = new URL("./fixtures/", import.meta.url);
const right = new Map(overlays.map((overlay) => [overlay, build(overlay)]));

const fixtures = readdirSync(folder).map((file) => ({
  fault: file.replace(/\.yaml$/, ""),
  ...(parse(readFileSync(new URL(file, folder), "utf8")) as Fixture),
}));

function spoil({ overlay, target, patch, add }: Fixture): Manifest[] {
  const manifests = structuredClone(right.get(overlay) ?? []);
  if (add) manifests.push(add);
  if (!target) return manifests;
  const found = manifests.find(({ kind, metadata }) => kind === target.kind && metadata.name === target.name);
  assert.ok(found, `there is no ${target.kind} "${target.name}" in ${overlay}`);
  if (!patch) return manifests.filter((manifest) => manifest !== found);
  assert.deepEqual(applyPatch(found, patch).filter(Boolean), []);
  return manifests;
}

describe("a fault is refused by its own rule and by no other", () => {
  for (const fixture of fixtures) {
    it(`${fixture.fault}: ${fixture.rule}`, () => {
      const spoilt = toBuild(fixture.overlay, spoil(fixture));
      const refusals = rulesFor(fixture.overlay).map((rule) => [rule.name, rule.check(spoilt)] as const);
      const refused = refusals.filter(([, messages]) => messages.length > 0);
      assert.deepEqual(
        refused.map(([name]) => name),
        [fixture.rule],
        JSON.stringify(refused),
      );
    });
  }
});

it("every rule has a fault that only it finds", () => {
  const rules = new Set(overlays.flatMap(rulesFor).map(({ name }) => name));
  assert.deepEqual(new Set(fixtures.map(({ rule }) => rule)), rules);
});
