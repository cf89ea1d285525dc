import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type RunningProcess, startProcess } from "@shop/dev/process";
import { shop } from "@shop/dev/shop";
import { IdempotencyKey } from "@shop/orders/contract";
import { eventually, freePort, listen, ownServer } from "@shop/platform/testing";
import { readTraceContext } from "@shop/platform/trace-context";
import * as v from "valibot";
import type { SummaryData } from "../summary.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

let folder: string;
let server: Awaited<ReturnType<typeof ownServer>>;
let dev: RunningProcess;
let gateway = "";
let frontend = "";
const lines: string[] = [];

/** The shop as `bun run dev` has it: each function sleeps again half a second after its last reply. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "loadtest-"));
  server = await ownServer();
  const ports = [...shop, { name: "targets" }].flatMap(({ name }) => ["--port", `${name}=0`]);
  dev = startProcess({
    command: [process.execPath, `${root}functions/dev/main.ts`, "--window", "500ms", ...ports],
    env: { ...process.env, DATABASE_URL: server.url, OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    orphanSignal: "SIGKILL",
    onLine: (line) => lines.push(line),
  });
  await eventually("the shop is open", () => lines.some((line) => line.startsWith("  curl ")), 60_000);
  gateway = /API\s+(\S+)\/api/.exec(lines.join("\n"))?.[1] ?? "";
  frontend = /page\s+(\S+)/.exec(lines.join("\n"))?.[1] ?? "";
});

after(async () => {
  dev.signal("SIGTERM");
  await dev.exited;
  await server.stop();
  await rm(folder, { recursive: true });
});

/** Runs one of the project's scripts; its exit code, its words, and its figures. */
async function load(name: string, target: string, env: Record<string, string> = {}) {
  const file = join(folder, `${name}.json`);
  const variables = Object.entries({ HOST: "", ...env, TARGET: target, SUMMARY: file });
  const args = variables.flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const child = spawn(process.execPath, [
    `${root}loadtest/runner/main.ts`,
    "run",
    ...args,
    `${root}loadtest/${name}.ts`,
  ]);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  const code = await new Promise((resolve) => child.on("close", resolve));
  const { metrics } = JSON.parse(await readFile(file, "utf8")) as SummaryData;
  const figure = (metric: string, value: string) => metrics[metric]?.values[value];
  return { code, text, figure };
}

const idle = { IDLE_SECONDS: "3" };
const patient = { timeout: 60_000 }; // Bun gives a test five seconds

describe("against the shop", () => {
  it("smoke finds everything in order, through the gateway and through the frontend", patient, async () => {
    for (const target of [gateway, frontend]) {
      const { code, text, figure } = await load("smoke", target);
      assert.equal(code, 0, text);
      assert.equal(figure("http_reqs", "count"), 5);
      assert.equal(figure("checks", "passes"), 6);
    }
  });

  it("smoke fails, and says by which threshold, where there is no shop", async () => {
    const { code, text } = await load("smoke", `http://127.0.0.1:${await freePort()}`);
    assert.equal(code, 99, text);
    assert.match(text, /Threshold crossed: http_req_failed should have rate==0, has rate=1/);
    assert.match(text, /GET \/api\/products: 0 .*ECONNREFUSED.*, trace [0-9a-f]{32}/);
    assert.match(text, /^Cannot order: no products, connect ECONNREFUSED/m);
  });

  it("cold finds gateway, orders and inventory asleep each time", patient, async () => {
    const { code, text, figure } = await load("cold", gateway, { ...idle, WAKES: "2" });
    assert.equal(code, 0, text);
    assert.equal(figure("woken", "rate"), 1);
    for (const name of ["gateway", "orders", "inventory"]) {
      assert.ok((figure(`cold_start{function:${name}}`, "min") ?? 0) > 0, name);
    }
  });

  it("a blank number is refused, though 0 would do", () => {
    for (const [name, variable] of [
      ["herd", "IDLE_SECONDS"],
      ["ramp", "ORDERS_SHARE"],
    ]) {
      const args = ["run", "-e", `TARGET=${gateway}`, "-e", `${variable}= `, `${root}loadtest/${name}.ts`];
      const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}loadtest/runner/main.ts`, ...args]);
      assert.match(`${stdout}${stderr}`, new RegExp(`Cannot read ${variable} " ": should be`));
      assert.equal(status, 104);
    }
  });

  it("cold fails where the shop does not sleep", async () => {
    const { code, text } = await load("cold", gateway, { IDLE_SECONDS: "0", WAKES: "3" });
    assert.equal(code, 99, text);
    assert.match(text, /✗ gateway, orders and inventory had been asleep/);
  });

  it("herd fails where one of the chain is awake", async () => {
    await load("smoke", gateway);
    const { code, text } = await load("herd", gateway, { IDLE_SECONDS: "0", CLIENTS: "2" });
    assert.equal(code, 99, text);
    assert.match(text, /Threshold crossed: cold_start\{function:gateway\} should have min>0/);
  });

  it("herd is answered to the last client, by a shop that slept", patient, async () => {
    const { code, text, figure } = await load("herd", frontend, { ...idle, CLIENTS: "40" });
    assert.equal(code, 0, text);
    assert.equal(figure("http_reqs", "count"), 40);
    assert.equal(figure("vus", "max"), 40);
  });

  it("ramp reaches its rate, and takes sold out for an answer", patient, async () => {
    const env = { RATE: "20", RAMP_SECONDS: "2", HOLD_SECONDS: "2", ORDERS_SHARE: "0.5", P95_MS: "10000" };
    const { code, text, figure } = await load("ramp", gateway, env);
    assert.equal(code, 0, text);
    assert.equal(figure("http_reqs", "count"), 21 + 40);
    assert.match(text, /held: 40 of 40 requests, 20\/s for 2s/);
  });
});

describe("every request", () => {
  it("is in a valid trace of its own, and every order has a key of its own", async () => {
    const seen: IncomingHttpHeaders[] = [];
    await using recorder = await listen((request, reply) => {
      seen.push(request.headers);
      reply.writeHead(request.method === "POST" ? 409 : 200).end("{}");
    });
    const env = { RATE: "20", RAMP_SECONDS: "1", HOLD_SECONDS: "1", ORDERS_SHARE: "0.5", P95_MS: "10000" };
    const { code, text } = await load("ramp", recorder.url, env);
    assert.equal(code, 0, text);
    const traces = seen.map((headers) => readTraceContext({ get: (name) => `${headers[name] ?? ""}` }));
    assert.ok(
      traces.every((trace) => trace?.traceFlags === 1),
      JSON.stringify(seen[0]),
    );
    assert.equal(new Set(traces.map((trace) => trace?.traceId)).size, seen.length);
    assert.ok(seen.length > 20);
    const orders = seen.filter((headers) => headers["content-type"] === "application/json");
    const keys = new Set(orders.map((headers) => v.parse(IdempotencyKey, headers["idempotency-key"])));
    assert.equal(keys.size, orders.length);
    assert.ok(orders.length > 0);
  });

  it("names the host it is meant for", async () => {
    const hosts = new Set<string | undefined>();
    await using ingress = await listen((request, reply) => {
      hosts.add(request.headers.host);
      reply.writeHead(503).end();
    });
    await load("smoke", ingress.url, { HOST: "gateway.sre-lab.example" });
    assert.deepEqual([...hosts], ["gateway.sre-lab.example"]);
  });
});
