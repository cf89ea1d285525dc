import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, listen } from "@shop/platform/testing";
import { openLoad } from "../bench/load.ts";
import { runtimes } from "../bench/measure.ts";
import { type Bundle, build, type Part, type Variant, variants } from "../bench/variants.ts";
import { stop, wake } from "../bench/wake.ts";
import { openSink } from "../otlp-sink.ts";
import { runtimeCommand } from "../shop.ts";

const bench = fileURLToPath(new URL("../bench/telemetry.ts", import.meta.url));
const report = new URL("../bench/TELEMETRY-COST.md", import.meta.url);

/** What a row measures is what its name says. */
const says = {
  frame: (name: string) => name !== "no telemetry",
  metrics: (name: string) => /^all|metrics/.test(name),
  log: (name: string) => /^all|log/.test(name),
  spans: (name: string) => /^all|spans/.test(name),
  sampled: (name: string) => /, sampled$/.test(name),
};

/** By which of its modules each part can be told. */
const marks: Record<Part, RegExp> = {
  frame: /platform\/observe\.ts$/,
  metrics: /\/prom-client\//,
  log: /\/pino\//,
  spans: /\/@opentelemetry\/sdk-trace\//, // prom-client itself imports the API
};

describe("the bench of what telemetry costs", () => {
  let folder: string;
  const bundles = new Map<string, Bundle>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "shop-bench-"));
    for (const [i, variant] of variants.entries())
      bundles.set(variant.name, await build(variant, join(folder, `${i}`)));
  });
  after(() => rm(folder, { recursive: true }));

  for (const variant of variants) {
    it(`"${variant.name}" is bundled with its parts and none of the others`, () => {
      const { modules } = bundles.get(variant.name) as Bundle;
      for (const [part, mark] of Object.entries(marks)) {
        assert.equal(
          modules.some((path) => mark.test(path)),
          says[part as Part](variant.name),
          part,
        );
      }
    });

    for (const runtime of runtimes) {
      it(`"${variant.name}" tells of each request what its parts should, and nothing else, on ${runtime}`, async () => {
        const told = await whatIsTold(variant, runtime, (bundles.get(variant.name) as Bundle).program);
        const [metrics, log, sampled] = [
          says.metrics(variant.name),
          says.log(variant.name),
          says.sampled(variant.name),
        ];
        assert.deepEqual(told, {
          counted: metrics ? requests : 0,
          logged: log ? requests : 0,
          spans: sampled ? requests : 0,
          exposes: metrics,
          writes: log,
          sends: sampled,
        });
      });
    }
  }

  it("stops at a reply that is not a success", async () => {
    let status = 200;
    await using server = await listen((_, reply) => reply.writeHead(status, "OK", { "Content-Length": 2 }).end("{}"));
    using load = await openLoad(Number(new URL(server.url).port), 2);
    assert.ok((await load.slice(50)).requests > 0);
    status = 503;
    await assert.rejects(load.slice(5_000), /Cannot measure/);
  });

  it("has a row with figures for every variant, at a start and at a request, on each runtime, in its report", () => {
    assertComplete(readFileSync(report, "utf8"));
  });

  it("measures in its short form too, and then leaves the report as it is", () => {
    const before = readFileSync(report, "utf8");
    const printed = execFileSync("bun", [bench, "--short"], { encoding: "utf8" });
    assertComplete(printed);
    assert.equal(readFileSync(report, "utf8"), before);
  });
});

const requests = 5;

/** What one variant tells of some requests, the first of which wakes it; `exposes`, `writes` and `sends`: whether it tells anything at all. */
async function whatIsTold({ env }: Variant, runtime: (typeof runtimes)[number], program: string) {
  await using sink = await openSink();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const one = await wake({
    command: [...runtimeCommand(runtime), program],
    env: env(sink.url),
    port,
    path: "/hello/world",
  });
  for (let i = 1; i < requests; i++) assert.equal((await fetch(`${url}/hello/world`)).status, 200);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.equal(await stop(one), 0, one.lines.join("\n"));
  const route = '"/hello/:name"';
  return {
    counted: Number(/^http_requests_total\{[^}]*route="\/hello\/:name"[^}]*\} (\d+)$/m.exec(metrics)?.[1] ?? 0),
    logged: one.lines.filter((line) => line.includes(route) && line.includes('"msg":"request"')).length,
    spans: sink.spans.filter(({ name }) => name === "GET /hello/:name").length,
    exposes: metrics !== "",
    writes: one.lines.length > 0,
    sends: sink.bodies.length > 0,
  };
}

/** Four tables, each with every variant in order and a number in every cell; all of telemetry costs more than none. */
function assertComplete(text: string): void {
  for (const runtime of runtimes) {
    for (const what of ["a start", "a request"]) {
      const rows = rowsBelow(text, `## ${runtime}: ${what}`);
      assert.deepEqual(
        rows.map(([name]) => name),
        variants.map(({ name }) => name),
      );
      for (const [name, ...cells] of rows) {
        for (const cell of cells)
          assert.match(cell, /^(\d+(\.\d+)?( %| \(\d+\.\d+–\d+\.\d+\))?|none)$/, `${name}: ${cell}`);
      }
      const cpu = (row: string[] | undefined) => Number.parseFloat(row?.[what === "a start" ? 3 : 1] ?? "");
      assert.equal(cpu(rows[0]), 1);
      assert.ok(cpu(rows.at(-1)) > 1.3, `${runtime}, ${what}: ${cpu(rows.at(-1))}`);
    }
  }
}

function rowsBelow(text: string, title: string): string[][] {
  const [, section = ""] = text.split(`${title}\n`);
  const table = /\|---\|\n((?:\|.*\|\n)+)/.exec(section.split("\n## ")[0] ?? "")?.[1] ?? "";
  return table
    .trim()
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
