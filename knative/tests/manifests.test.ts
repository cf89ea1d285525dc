import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { build, overlays } from "./build.ts";
import { toBuild } from "./rule.ts";
import { rulesFor } from "./rules/index.ts";

for (const overlay of overlays) {
  describe(overlay, () => {
    const built = toBuild(overlay, build(overlay));

    it("builds with kubectl alone, and to something", () => assert.ok(built.manifests.length > 0));

    for (const rule of rulesFor(overlay)) it(rule.name, () => assert.deepEqual(rule.check(built), []));
  });
}

it("a folder that does not build is refused with kustomize's reason", () => {
  assert.throws(() => build("environments"), /^Error: Cannot build "environments": .*kustomization/s);
});
