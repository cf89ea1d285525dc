import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createLogger, flushLog, type Logger } from "./log.ts";
import { PeerProblem, Problem } from "./problem.ts";
import { captureLog } from "./testing.ts";

describe("createLogger", () => {
  it("writes one JSON object a line: time as text, level by name, service, no process id and no host", () => {
    const { log, lines, text } = captureLog("orders");
    log.info({ status_code: 200 }, "request\nof two lines");
    assert.equal(text().trimEnd().split("\n").length, 1);
    const { time, ...rest } = lines[0] ?? {};
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, { level: "info", service: "orders", status_code: 200, msg: "request\nof two lines" });
  });

  it("leaves out what is below its level", () => {
    const written: string[] = [];
    const log = createLogger({
      service: "orders",
      level: "warn",
      destination: { write: (line) => written.push(line) },
    });
    log.info("quiet");
    log.warn("loud");
    assert.equal(written.length, 1);
  });

  it("of an error writes type, message, code, stack and causes, and none of its data", () => {
    const { log, lines, text } = captureLog();
    const inner = Object.assign(new Error("duplicate key"), {
      code: "23505",
      detail: "Key (email)=(planted-detail) already exists.",
      parameters: ["planted-parameter"],
      config: { password: "planted-password" },
    });
    log.error({ err: new TypeError("cannot store", { cause: inner }) }, "request");
    const { err } = lines[0] as { err: Record<string, unknown> & { cause: Record<string, unknown> } };
    assert.equal(err.type, "TypeError");
    assert.equal(err.message, "cannot store");
    assert.match(String(err.stack), /log\.test\.ts/);
    assert.equal(err.cause.code, "23505");
    assert.equal(err.cause.message, "duplicate key");
    assert.doesNotMatch(text(), /planted/);
  });

  it("of a problem that is expected to happen writes no stack, of an internal one it does", () => {
    const { log, lines } = captureLog();
    const body = { type: "x", title: "x", status: 503, detail: "x", code: "unavailable", traceId: "x" };
    log.warn({ err: new Problem("unavailable", "away", { cause: new Error("connect ECONNREFUSED") }) });
    log.warn({ err: new PeerProblem("orders", body, {}) });
    log.error({ err: new Problem("internal", "broken") });
    const [away, peer, broken] = lines.map(({ err }) => err as Record<string, unknown>);
    assert.deepEqual(away, {
      type: "Problem",
      message: "away",
      code: "unavailable",
      cause: { type: "Error", message: "connect ECONNREFUSED" },
    });
    assert.deepEqual(peer, { type: "PeerProblem", message: "orders answered 503 unavailable" });
    assert.equal(typeof broken?.stack, "string");
  });

  it("of something thrown that is no error writes the type alone", () => {
    const { log, lines } = captureLog();
    log.error({ err: "planted" }, "request");
    assert.deepEqual(lines[0]?.err, { type: "string", message: "not an Error" });
  });
});

describe("flushLog", () => {
  it("waits until what was logged is written", async () => {
    const { promise: write, resolve: written } = Promise.withResolvers<void>();
    let waiting = true;
    const flushed = flushLog({ flush: (done: () => void) => void write.then(done) } as Logger, 60_000).then(() => {
      waiting = false;
    });
    await setImmediate();
    assert.ok(waiting);
    written();
    await flushed;
  });

  it("does not wait longer than it may for a reader that never drains", async () => {
    await flushLog({ flush: () => {} } as unknown as Logger, 5);
  });
});
