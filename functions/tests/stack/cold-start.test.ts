import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, freshDatabase, listen } from "@shop/platform/testing";
import { type Phase, phases } from "../../platform/boot.ts";
import { median, middle } from "../bench/statistics.ts";
import { stop, wake } from "../bench/wake.ts";
import { openSink, type Sink, type SinkSpan } from "../otlp-sink.ts";
import { runtimeCommand } from "../shop.ts";
import { full, record } from "./full.ts";

const wakes = full ? 25 : 10;
const functions = [
  { name: "users", path: "/users" },
  { name: "gateway", path: "/api/users" },
];
const runtimes = ["bun", "deno"] as const;
const folder = fileURLToPath(new URL("../..", import.meta.url));

/** One cold start as each of its witnesses tells it, in milliseconds. */
type ColdStart = {
  /** The clock of whoever woke it: from before the spawn until the first 200. */
  totalMs: number;
  spawnedMs: number;
  metrics: Record<Phase, number>;
  log: Record<string, unknown>[];
  spans: SinkSpan[];
  serverTiming: string;
};

const rows: string[] = [];
let env: Record<string, string>;
let sink: Sink;
const opened: (() => PromiseLike<unknown>)[] = [];

before(async () => {
  const database = await freshDatabase("users");
  const users = await listen((_, reply) => reply.setHeader("Content-Type", "application/json").end("[]"));
  sink = await openSink();
  opened.push(
    database.drop,
    () => users[Symbol.asyncDispose](),
    () => sink[Symbol.asyncDispose](),
  );
  env = {
    DATABASE_URL: database.url,
    USER_SERVICE_URL: users.url,
    ORDER_SERVICE_URL: users.url,
    INVENTORY_SERVICE_URL: users.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
  };
});

after(async () => {
  for (const close of opened) await close();
  record("Cold start", [
    `From spawn to the first 200, by the clock of whoever woke it; medians of ${wakes} wakes in ms, page cache warm. The phases are the function's own account.`,
    "",
    `| function | runtime | total (middle half) | ${phases.join(" | ")} | accounted for |`,
    `|---|---|---|${phases.map(() => "---|").join("")}---|`,
    ...rows,
  ]);
});

for (const runtime of runtimes) {
  for (const { name, path } of functions) {
    describe(`cold starts of ${name} on ${runtime}`, () => {
      const starts: ColdStart[] = [];

      before(async () => {
        const command = [...runtimeCommand(runtime), `${folder}${name}/dist/main.js`] as const;
        await coldStart([...command], path); // the files into the page cache
        for (let i = 0; i < wakes; i++) starts.push(await coldStart([...command], path));
      });

      it("have five phases whose sum is what was waited: within 5 % in the median, 10 % or 10 ms in nine of ten", () => {
        const shares = starts.map(({ metrics, totalMs }) => sumOf(metrics, phases) / totalMs);
        rows.push(row(name, runtime, starts, shares));
        for (const { metrics, totalMs } of starts) {
          const sum = sumOf(metrics, phases);
          assert.ok(sum <= totalMs, `${sum} ms of ${totalMs}: more than was waited`);
        }
        const missing = starts.filter(({ metrics, totalMs }) => totalMs - sumOf(metrics, phases) > leewayMs(totalMs));
        assert.ok(missing.length <= wakes / 10, `${shares}`);
        assert.ok(median(shares) >= 0.95, `${shares}`);
      });

      it("are told alike by metrics, log, spans and Server-Timing", () => {
        for (const start of starts) {
          logAgrees(start);
          serverTimingAgrees(name, start);
          spansAgree(path, start);
        }
      });
    });
  }
}

async function coldStart(command: [string, ...string[]], path: string): Promise<ColdStart> {
  const port = await freePort();
  sink.spans.length = 0;
  const one = await wake({ command, env, port, path });
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`).then((reply) => reply.text());
  assert.equal(await stop(one), 0, one.lines.join("\n"));
  return {
    totalMs: one.totalMs,
    spawnedMs: one.spawnedMs,
    metrics: readPhases(metrics),
    log: one.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "cold start"),
    spans: [...sink.spans],
    serverTiming: /^server-timing: (.*)$/im.exec(one.reply.head)?.[1] ?? "",
  };
}

function readPhases(exposition: string): Record<Phase, number> {
  const samples = exposition.matchAll(/^function_cold_start_seconds\{[^}]*phase="(\w+)"[^}]*\} (\S+)$/gm);
  const read = Object.fromEntries([...samples].map(([, phase, seconds]) => [phase, Number(seconds) * 1_000]));
  assert.deepEqual(Object.keys(read).sort(), [...phases].sort());
  return read as Record<Phase, number>;
}

/** The log has milliseconds to two decimals. */
function logAgrees({ log, metrics }: ColdStart): void {
  assert.equal(log.length, 1);
  for (const phase of phases) near(log[0]?.[`${phase}_ms`], metrics[phase], 0.006, `the log's ${phase}`);
}

/** Whoever woke it is told how long that took until it listened. */
function serverTimingAgrees(name: string, { serverTiming, metrics }: ColdStart): void {
  const [, dur, desc] = /^cold;dur=([\d.]+);desc="([\w-]+)"$/.exec(serverTiming) ?? [];
  assert.equal(desc, name, serverTiming);
  near(Number(dur), sumOf(metrics, ["modules", "config", "listen"]), 0.006, "Server-Timing");
}

/** Four boot spans without a gap, from after the spawn to the server's span, which stands for the fifth phase. */
function spansAgree(path: string, { spans, metrics, spawnedMs, totalMs }: ColdStart): void {
  const server = spans.find(({ name }) => name === `GET ${path}`);
  assert.ok(server);
  assert.equal(server.attributes["faas.coldstart"], true);
  const boot = spans.filter(({ name }) => name.startsWith("boot "));
  assert.deepEqual(
    boot.map(({ name }) => name),
    phases.slice(0, -1).map((phase) => `boot ${phase}`),
  );
  let endMs = boot[0]?.startMs ?? 0;
  assert.ok(endMs >= spawnedMs - clockMs, "began before it was spawned");
  for (const [i, span] of boot.entries()) {
    near(span.startMs, endMs, 0.01, `the start of ${span.name}`);
    near(span.endMs - span.startMs, metrics[phases[i] as Phase], 0.01, `the length of ${span.name}`);
    assert.equal(span.parentSpanId, server.spanId);
    endMs = span.endMs;
  }
  near(server.startMs, endMs, leewayMs(totalMs), "the start of the server's span");
  near(server.endMs - server.startMs, metrics.first_request, leewayMs(totalMs), "the length of the server's span");
}

/** What a busy machine may take from one wake between two readings of a clock. */
const leewayMs = (totalMs: number) => Math.max(totalMs / 10, 10);

/** How far the wall clocks of two processes may be apart. */
const clockMs = 2;

function near(actual: unknown, expected: number, tolerance: number, what: string): void {
  assert.ok(
    typeof actual === "number" && Math.abs(actual - expected) <= tolerance,
    `${what}: ${actual}, not ${expected}`,
  );
}

const sumOf = (of: Record<Phase, number>, which: readonly Phase[]) => which.reduce((sum, phase) => sum + of[phase], 0);

function row(name: string, runtime: string, starts: ColdStart[], shares: number[]): string {
  const totals = starts.map(({ totalMs }) => totalMs);
  const [low, high] = middle(totals);
  const cells = phases.map((phase) => median(starts.map(({ metrics }) => metrics[phase])).toFixed(1));
  const total = `${median(totals).toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;
  return `| ${name} | ${runtime} | ${total} | ${cells.join(" | ")} | ${(median(shares) * 100).toFixed(1)} % |`;
}
