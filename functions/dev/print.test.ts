import assert from "node:assert/strict";
import { test } from "node:test";
import { banner, createPaint, createPrinter, describeLog, duration } from "./print.ts";
import type { SlotEvent } from "./slot.ts";

const plain = createPaint(false);
const base = { level: "info", time: "2026-11-24T10:00:00.000Z", service: "orders" };
const log = (fields: object) => describeLog(JSON.stringify({ ...base, ...fields }), plain);

function printed(event: SlotEvent, colour = false): string {
  let output = "";
  const write = (text: string) => {
    output += text;
  };
  const now = () => new Date(2026, 10, 24, 9, 8, 7);
  createPrinter({ write, paint: createPaint(colour), names: ["gateway", "orders"], now }).event("orders", event);
  return output;
}

test("a request's log line shows method, route, status, duration and trace", () => {
  const fields = {
    method: "POST",
    route: "/orders",
    status_code: 201,
    duration_ms: 12.345,
    request_id: "r",
    trace_id: "4bf9",
    span_id: "00f0",
  };
  assert.equal(log({ ...fields, msg: "request" }), "POST /orders 201 12 ms  4bf9");
  assert.equal(log({ ...fields, cold: true, msg: "request" }), "POST /orders 201 12 ms  cold  4bf9");
});

test("a cold start shows its phases in their order, and the trace of the request that had to wait", () => {
  const phases = { modules_ms: 120.4, config_ms: 2.13, listen_ms: 3, idle_ms: 7.99, first_request_ms: 30 };
  const shown = "cold start  modules 120 ms · config 2.1 ms · listen 3 ms · idle 8 ms · first request 30 ms  4bf9";
  assert.equal(log({ ...phases, msg: "cold start", trace_id: "4bf9", span_id: "00f0", request_id: "r" }), shown);
});

test("the end of a process shows what became of its spans, when it made any", () => {
  const stopped = (exported: number, dropped: number) =>
    log({ msg: "stopped", spans_exported: exported, spans_dropped: dropped });
  assert.equal(stopped(12, 0), "stopped  spans 12 exported, 0 dropped");
  assert.equal(stopped(0, 3), "stopped  spans 0 exported, 3 dropped");
  assert.equal(stopped(0, 0), "stopped");
});

test("another log line shows its message and its own fields", () => {
  assert.equal(log({ msg: "listening", port: 1234, host: "127.0.0.1" }), "listening  port=1234  host=127.0.0.1");
});

test("an error is shown with its stack and its causes", () => {
  const err = {
    type: "Error",
    message: "outer",
    stack: "Error: outer\n    at a (b.ts:1:2)",
    cause: { message: "inner" },
  };
  const lines = log({ level: "error", msg: "failed", err }).split("\n");
  assert.deepEqual(lines, ["failed", "  Error: outer", "  at a (b.ts:1:2)", "  inner"]);
});

test("a line that is no log passes as it is", () => {
  for (const line of ["panic!", "{broken", '{"no":"message"}', "[1]"]) assert.equal(describeLog(line, plain), line);
});

test("every line bears the time and its function's name", () => {
  assert.equal(printed({ type: "line", line: "hello" }), "09:08:07  orders   hello\n");
  assert.equal(printed({ type: "awake", bootMs: 84.2 }), "09:08:07  orders   ▲ awake in 84 ms\n");
});

test("sleep tells how long it was awake, for how many requests, and whether it ended well", () => {
  const asleep = { type: "asleep", awakeMs: 61_234, requests: 1, killed: false } as const;
  assert.match(printed({ ...asleep, exit: { code: 0, signal: null } }), /▽ asleep after 1 min, 1 request\n$/);
  assert.match(printed({ ...asleep, exit: { code: 4, signal: null } }), /1 request, exit code 4\n$/);
  const killed = printed({ ...asleep, exit: { code: null, signal: "SIGKILL" }, killed: true });
  assert.match(killed, /Cannot end "orders" by SIGTERM: killed\n$/);
});

test("without colour there is no escape, with colour each function has its own", () => {
  const event = { type: "line", line: "hello" } as const;
  assert.equal(printed(event).includes("\x1b"), false);
  assert.ok(printed(event, true).includes("\x1b[35morders \x1b[0m"));
});

test("the first screen names page, API, docs, database, targets and collector, but no secret", () => {
  const screen = firstScreen("https://me:secret@collector/v1/traces?key=secret");
  for (const part of [
    "http://frontend/docs",
    "http://gateway/api/orders",
    "postgres://me:***@127.0.0.1/x\n",
    "http://127.0.0.1:9900/targets",
    "traces    https://me:***@collector/v1/traces\n",
    "1 min after",
  ]) {
    assert.ok(screen.includes(part), part);
  }
  assert.equal(screen.includes("secret"), false);
});

test("without a collector the first screen speaks of no traces", () => {
  assert.doesNotMatch(firstScreen(undefined), /traces/);
});

function firstScreen(tracesUrl: string | undefined): string {
  return banner({
    url: (name) => `http://${name}`,
    databaseUrl: "postgres://me:secret@127.0.0.1/x?key=secret",
    targetsUrl: "http://127.0.0.1:9900/targets",
    tracesUrl,
    windowMs: 60_000,
    readyMs: 480,
    paint: plain,
  });
}

test("durations are for people", () => {
  assert.deepEqual([0.123, 9.87, 84.4, 1_234, 61_000, 150_000].map(duration), [
    "0.1 ms",
    "9.9 ms",
    "84 ms",
    "1.2 s",
    "1 min",
    "2.5 min",
  ]);
});
