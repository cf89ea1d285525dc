import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { startProcess } from "@shop/dev/process";
import { createLogger, flushLog, type Logger } from "./log.ts";
import { PeerProblem, Problem } from "./problem.ts";
import { captureLog, eventually } from "./testing.ts";

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

  it("of an error about data or a role (SQLSTATE 22, 28, 53300) withholds the message, wherever it stands", () => {
    for (const code of ["22P02", "22003", "28000", "28P01", "53300"]) {
      for (const message of [
        'invalid input syntax for type integer: "planted"',
        "two\n    at planted\nlines",
        "$& planted",
      ]) {
        const { log, lines, text } = captureLog();
        const refused = Object.assign(new Error(message), { code });
        log.error({ err: refused }, "request");
        log.error({ err: new Error("cannot store", { cause: refused }) }, "request");
        log.error({ err: refused });
        log.error(refused);
        log.error({ err: refused }, message);
        refused.message = "planted later";
        log.error({ err: refused }, "request");
        assert.doesNotMatch(text(), /planted/);
        assert.equal(lines.length, 6);
        const [{ err }] = lines as [{ err: Record<string, unknown> }];
        assert.equal(err.message, "withheld: it quotes a value");
        assert.equal(err.code, code);
        assert.match(String(err.stack), /withheld: it quotes a value\n.*log\.test\.ts/);
      }
    }
  });

  it("of any other error keeps the message, in its stack too", () => {
    for (const code of ["08006", "42P01", "57014", "2200", "223055", "ECONNREFUSED"]) {
      const { log, lines } = captureLog();
      log.error({ err: Object.assign(new Error("relation is away"), { code }) });
      const { err, msg } = lines[0] as { err: Record<string, unknown>; msg: string };
      assert.equal(err.message, "relation is away", code);
      assert.match(String(err.stack), /relation is away\n.*log\.test\.ts/);
      assert.equal(msg, "relation is away");
    }
  });

  const urls: [text: string, shown: string][] = [
    ["connect to postgres://orders:planted@database:5432/orders", "connect to postgres://***@database:5432/orders"],
    ["connect to postgres://planted@database/orders", "connect to postgres://***@database/orders"],
    ["connect to postgres://orders:pl@nted@database/orders", "connect to postgres://***@database/orders"],
    ["connect to postgres://orders:planted@database", "connect to postgres://***@database"],
    ["GET http://inventory:3002/a/b?key=planted", "GET http://inventory:3002/***"],
    ["GET http://inventory?a=it's(planted)&b=planted twice", "GET http://inventory/*** twice"],
    ["GET http://u:planted@inventory/a?b=planted@c", "GET http://***@inventory/***"],
    ["a http://x:planted@a/?planted b https://y:planted@b/?planted", "a http://***@a/*** b https://***@b/***"],
    ["at http://inventory:3002/a, who@example.com?", "at http://inventory:3002/*** who@example.com?"],
  ];
  for (const [text, shown] of urls) {
    it(`shows neither user, password nor query of a URL, nor the path that was asked for: ${text}`, () => {
      const { log, lines, text: whole } = captureLog();
      log.error({ err: new Error(text, { cause: new Error(text) }) }, "request");
      log.error({ err: new Error(text) });
      log.warn(text);
      assert.doesNotMatch(whole(), /planted|nted@/);
      const [first, second, third] = lines as { msg: string; err: Record<string, unknown> & { cause: object } }[];
      assert.equal(first?.err.message, shown);
      assert.match(String(first.err.stack), /log\.test\.ts/);
      assert.equal(Reflect.get(first.err.cause, "message"), shown);
      assert.equal(second?.msg, shown);
      assert.equal(third?.msg, shown);
    });
  }

  it("of a field that nobody declared shows the name and not the value, on a line or in a logger below", () => {
    const { log, lines, text } = captureLog();
    const fields = { order_id: "ORDER-1", visitor: "planted", toString: "planted", nested: { key: "planted" } };
    log.info(fields, "stored");
    log.child(fields).info("stored");
    log.child({ request_id: "abc" }).child(fields).info({ visitor: "planted" }, "stored");
    assert.doesNotMatch(text(), /planted/);
    for (const line of lines) {
      assert.equal(line.order_id, "ORDER-1");
      assert.equal(line.visitor, "[not in the catalogue]");
      assert.equal(line.msg, "stored");
    }
    assert.equal(lines[2]?.request_id, "abc");
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

describe("a reader that does not read", () => {
  it("has at most 8 MiB kept for it, and the process lives on", {
    skip: !("bun" in process.versions) && "Deno writes to a pipe on its main thread",
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "shop-log-"));
    const [main, pipe] = [join(folder, "main.ts"), join(folder, "pipe")];
    await writeFile(
      main,
      `import { createLogger } from "${new URL("log.ts", import.meta.url).href}";
      const log = createLogger({ service: "fixture" });
      for (let i = 0; i < 1_000; i++) {
        log.info("a line ".repeat(5_000));
        await new Promise(setImmediate);
      }
      process.stderr.write("logged\\n");`,
    );
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    const held = openSync(pipe, "r+"); // there is a reader, who does not read
    const output: string[] = [];
    const start = (...command: [string, ...string[]]) =>
      startProcess({ command, orphanSignal: "SIGKILL", onLine: (line) => output.push(line) });
    const children = [start("/bin/sh", "-c", `exec "$0" "$1" > "$2"`, process.execPath, main, pipe)];
    try {
      await eventually("it has logged 35 MB", () => output.includes("logged"));
      children.push(start("wc", "-c", pipe));
      assert.equal((await children[0]?.closed)?.code, 0);
    } finally {
      closeSync(held);
      if (children.length < 2) for (const child of children) child.signal("SIGKILL");
      await Promise.all(children.map(({ closed }) => closed));
      await rm(folder, { recursive: true });
    }
    const bytes = Number.parseInt(output.at(-1) ?? "", 10);
    assert.ok(bytes > 7 * 2 ** 20 && bytes < 9 * 2 ** 20, `${bytes} bytes`); // the pipe holds some more
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
