import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { startProcess } from "@shop/dev/process";
import { type Behaviour, openSink } from "../tests/otlp-sink.ts";
import { eventually, freePort, listen } from "./testing.ts";

const isBun = "bun" in process.versions;
/** The programs run on the runtime that runs the tests. */
const runtimeFlags = isBun ? [] : ["run", "--allow-all", "--no-check", "--unstable-no-legacy-abort"];
const platform = new URL(".", import.meta.url).href;

type Source = { first?: string; main?: string; close?: string };
type Line = Record<string, unknown> & { msg?: string };

/** A function's main; `first` runs before all else, `close` is what it closes. */
const source = ({ first = "", main = "", close = "async () => log.info('closed')" }: Source) => `
import { createApp } from "${platform}app.ts";
import { port } from "${platform}config.ts";
import { command, program } from "${platform}program.ts";
import { serve } from "${platform}serve.ts";
${first}
const start = command({ PORT: port(1) }, async ({ config, telemetry }) => {
  const { log } = telemetry;
  ${main}
  const app = createApp({ telemetry });
  app.get("/after/:ms", async (c) => {
    log.info("begun");
    await new Promise((resolve) => setTimeout(resolve, Number(c.req.param("ms"))));
    return c.text("done");
  });
  app.get("/never", () => {
    log.info("begun");
    return new Promise(() => {});
  });
  app.all("/watched", async (c) => {
    log.info("begun");
    await new Promise((resolve) => c.var.call.signal.addEventListener("abort", resolve));
    log.info("aborted");
    return c.text("late");
  });
  app.get("/large", (c) => c.text("x".repeat(30_000_000)));
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry, close: ${close} });
});
program({ service: "fixture", argv: process.argv, env: process.env }, { serve: start });
`;

/** A program in a folder of its own. */
async function write(parts: Source) {
  const folder = await mkdtemp(join(tmpdir(), "shop-serve-"));
  const file = join(folder, "main.ts");
  await writeFile(file, source(parts));
  await writeFile(join(folder, "package.json"), "{}"); // makes Deno look into node_modules
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** Runs a program, to its end or until the test's. */
async function run(parts: Source = {}, env: Record<string, string> = {}) {
  const { file, [Symbol.asyncDispose]: remove } = await write(parts);
  const port = await freePort();
  const output: string[] = [];
  const child = startProcess({
    command: [process.execPath, ...runtimeFlags, file],
    env: { ...process.env, HOST: "127.0.0.1", PORT: String(port), ...env },
    orphanSignal: "SIGKILL",
    onLine: (line) => output.push(line),
  });
  const lines = (): Line[] => output.map((line) => JSON.parse(line));
  const count = (msg: string) => lines().filter((line) => line.msg === msg).length;
  return {
    ...child,
    port,
    url: `http://127.0.0.1:${port}`,
    lines,
    count,
    // Not by its handle: Deno then reports the signal in place of the exit code.
    kill: (signal: NodeJS.Signals) => process.kill(child.pid, signal),
    async [Symbol.asyncDispose]() {
      child.signal("SIGKILL");
      await child.closed;
      await remove();
    },
  };
}

async function started(...args: Parameters<typeof run>) {
  const one = await run(...args);
  await eventually("it listens", () => one.count("listening") === 1);
  return one;
}

/** Asks once, over a connection of the agent; the body. */
function ask(url: string, agent: http.Agent | false = false): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = http.get(url, { agent }, (reply) => {
    let body = "";
    reply.setEncoding("utf8");
    reply.on("data", (chunk) => {
      body += chunk;
    });
    reply.on("end", () => (reply.complete ? resolve(body) : reject(new Error("cut off"))));
    reply.on("error", reject);
  });
  request.on("error", reject);
  return promise;
}

const isRefused = (url: string) =>
  ask(url).then(
    () => false,
    () => true,
  );

describe("at SIGTERM a function", () => {
  it("answers every request that it has received, and ends within 1.5 s of its last reply", async () => {
    await using one = await started();
    let answers = 0;
    let lastMs = 0;
    const client = async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      try {
        for (;;) {
          assert.equal(await ask(`${one.url}/after/2`, agent), "done");
          answers++;
          lastMs = performance.now();
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
      } finally {
        agent.destroy();
      }
    };
    const clients = Array.from({ length: 20 }, client);
    await eventually("there is some load", () => answers > 500);
    one.kill("SIGTERM");
    await Promise.all(clients);
    assert.deepEqual(await one.closed, { code: 0, signal: null });
    assert.ok(performance.now() - lastMs < 1_500);
    assert.equal(one.count("begun"), answers);
    assert.equal(one.count("request"), answers);
  });

  it("finishes a long request while it takes no new one, and a second SIGTERM changes nothing", async () => {
    await using one = await started();
    const reply = ask(`${one.url}/after/500`);
    await eventually("the request is in flight", () => one.count("begun") === 1);
    one.kill("SIGTERM");
    await eventually("it takes no new one", () => isRefused(`${one.url}/readyz`));
    assert.equal(one.count("request"), 0);
    one.kill("SIGTERM");
    assert.equal(await reply, "done");
    assert.equal((await one.closed).code, 0);
    assert.deepEqual(
      one
        .lines()
        .slice(1)
        .map(({ msg }) => msg),
      ["begun", "request", "cold start", "closed", "stopped"],
    );
  });

  it("ends at once when nothing is in flight, as it does at SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using one = await started();
      const agent = new http.Agent({ keepAlive: true });
      assert.equal(await ask(`${one.url}/readyz`, agent), "OK");
      const startMs = performance.now();
      one.kill(signal);
      assert.equal((await one.closed).code, 0);
      assert.ok(performance.now() - startMs < 1_000, "an idle connection does not hold it");
      agent.destroy();
    }
  });

  it("is not held by a caller who has sent half a request", async () => {
    await using one = await started();
    const half = raw(one.url, "GET /readyz HTTP/1.1\r\nHost: fixture\r\n").catch(() => {});
    assert.equal(await ask(`${one.url}/readyz`), "OK"); // so the half one has arrived as well
    const startMs = performance.now();
    one.kill("SIGTERM");
    assert.equal((await one.closed).code, 0);
    assert.ok(performance.now() - startMs < 1_000);
    await half;
  });

  it("sends a reply to its end that is read slowly", async () => {
    await using one = await started();
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(one.url).port) });
    socket.write("GET /large HTTP/1.1\r\nHost: fixture\r\nConnection: close\r\n\r\n");
    await once(socket, "readable"); // nothing more is read until it has stopped to listen
    one.kill("SIGTERM");
    await eventually("it takes no new one", () => isRefused(`${one.url}/readyz`));
    const reply = await text(socket);
    assert.equal(reply.length - reply.indexOf("\r\n\r\n") - 4, 30_000_000);
    assert.equal((await one.closed).code, 0);
  });

  it("is not held by what does not close, nor stopped by what cannot", async () => {
    for (const [close, warnings] of [
      ["() => new Promise(() => {})", 0],
      ["() => Promise.reject(new Error('pool lost'))", 1],
    ] as const) {
      await using one = await started({ close });
      const startMs = performance.now();
      one.kill("SIGTERM");
      assert.equal((await one.closed).code, 0);
      assert.ok(performance.now() - startMs < 1_500);
      assert.equal(one.count("cannot close cleanly"), warnings);
      assert.equal(one.count("stopped"), 1);
    }
  });

  it("waits for a request whose caller has hung up: its line, its spans, and the account of them", async () => {
    await using sink = await openSink();
    await using one = await started({}, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_BSP_SCHEDULE_DELAY: "60000" });
    const request = http.get(`${one.url}/after/600`, { agent: false }).on("error", () => {});
    await eventually("the request is in flight", () => one.count("begun") === 1);
    one.kill("SIGTERM");
    await eventually("it takes no new one", () => isRefused(`${one.url}/readyz`));
    request.destroy();
    assert.equal((await one.closed).code, 0);
    const told = one.lines().map(({ msg }) => msg);
    assert.equal(one.count("request"), 1);
    assert.ok(told.indexOf("request") < told.indexOf("closed"), `${told}`);
    assert.equal(told.at(-1), "stopped");
    const servers = sink.spans.filter(({ kind }) => kind === 2).map(({ spanId }) => spanId);
    assert.deepEqual(servers, [one.lines().find(({ msg }) => msg === "request")?.span_id]);
    const { spans_exported, spans_dropped } = one.lines().at(-1) ?? {};
    assert.deepEqual([spans_exported, spans_dropped], [sink.spans.length, 0]);
  });

  it("cuts off a request that outlives every deadline", async () => {
    const first = "const timer = setTimeout; globalThis.setTimeout = (work, ms) => timer(work, ms / 20);";
    await using one = await started({ first });
    const reply = isRefused(`${one.url}/never`);
    await eventually("the request is in flight", () => one.count("begun") === 1);
    one.kill("SIGTERM");
    assert.equal((await one.closed).code, 0);
    assert.equal(await reply, true);
  });

  it("ends even when nobody reads its log", {
    skip: !isBun && "Deno writes to a pipe on its main thread",
  }, async () => {
    await using program = await write({});
    const port = await freePort();
    const pipe = join(program.file, "../pipe");
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    const reader = openSync(pipe, "r+");
    const shell = `exec "$0" "$1" > "$2"`;
    const child = startProcess({
      command: ["/bin/sh", "-c", shell, process.execPath, program.file, pipe],
      env: { ...process.env, HOST: "127.0.0.1", PORT: String(port) },
      orphanSignal: "SIGKILL",
    });
    try {
      const url = `http://127.0.0.1:${port}/after/0`;
      await eventually("it listens", async () => !(await isRefused(url)));
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let lines = 0; lines < 400; lines++) await ask(url, agent);
      agent.destroy();
      const startMs = performance.now();
      child.signal("SIGTERM");
      assert.equal((await child.exited).code, 0);
      assert.ok(performance.now() - startMs < 1_500);
    } finally {
      child.signal("SIGKILL");
      closeSync(reader);
    }
  });
});

describe("at SIGTERM the spans that are left", () => {
  const requests = 30;
  const made = requests + 4; // the first has the phases of the start below it

  /** Answers some requests while it is told to end; how that went. */
  async function end(collector: string, env: Record<string, string> = {}) {
    await using one = await started(
      {},
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector,
        OTEL_BSP_SCHEDULE_DELAY: "60000",
        ...env,
      },
    );
    const replies = Array.from({ length: requests }, () => ask(`${one.url}/after/200`));
    await eventually("all are in flight", () => one.count("begun") === requests);
    one.kill("SIGTERM");
    assert.deepEqual(await Promise.all(replies), Array(requests).fill("done"));
    const repliedMs = performance.now();
    assert.deepEqual(await one.closed, { code: 0, signal: null });
    assert.ok(performance.now() - repliedMs < 1_500, `${performance.now() - repliedMs} ms`);
    const [stopped, ...more] = one.lines().filter(({ msg }) => msg === "stopped");
    assert.equal(more.length, 0);
    return { exported: stopped?.spans_exported, dropped: stopped?.spans_dropped, traced: one.lines() };
  }

  it("are sent to a collector that lives, each once, before the process ends", async () => {
    await using sink = await openSink();
    const { exported, dropped, traced } = await end(sink.url);
    assert.deepEqual([exported, dropped], [made, 0]);
    assert.equal(sink.spans.length, made);
    const servers = sink.spans.filter(({ kind }) => kind === 2).map(({ spanId }) => spanId);
    const lines = traced.filter(({ msg }) => msg === "request").map(({ span_id }) => span_id);
    assert.deepEqual(servers.sort(), lines.sort());
  });

  it("are sent however many batches they are", async () => {
    await using sink = await openSink();
    const { exported, dropped } = await end(sink.url, { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "1" });
    assert.ok(sink.bodies.length > 30, "more than some exporters have under way");
    assert.deepEqual([exported, dropped], [made, 0]);
  });

  it("are sent to one that is slow", async () => {
    await using sink = await openSink("slow");
    const { exported, dropped } = await end(sink.url);
    assert.deepEqual([exported, dropped], [made, 0]);
    assert.equal(sink.spans.length, made);
  });

  const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: "60000", OTEL_BSP_EXPORT_TIMEOUT: "60000" };
  const lost: Behaviour[] = [500, "hang", "dribble", "garbage", "cut", "html"];
  for (const behaviour of lost) {
    it(`are given up and counted when the collector answers with ${behaviour}`, async () => {
      await using sink = await openSink(behaviour);
      const { exported, dropped } = await end(sink.url, patient);
      assert.deepEqual([exported, dropped], [0, made]);
      assert.deepEqual(sink.spans, []);
    });
  }

  it("that a collector rejects are counted, also where it takes the rest of their batch", async () => {
    await using sink = await openSink("partial");
    const { exported, dropped } = await end(sink.url);
    assert.equal(dropped, sink.bodies.length);
    assert.equal(exported, sink.spans.length);
    assert.equal(exported + dropped, made);
  });

  it("are given up and counted when nobody listens, or there are more than may wait", async () => {
    const { exported, dropped } = await end(`http://127.0.0.1:${await freePort()}`);
    assert.deepEqual([exported, dropped], [0, made]);
    await using sink = await openSink("hang");
    const bounded = await end(sink.url, { OTEL_BSP_MAX_QUEUE_SIZE: "7" });
    assert.deepEqual([bounded.exported, bounded.dropped], [0, made]);
    assert.ok(sink.bodies.length <= 1, `${sink.bodies.length} batches`);
  });

  it("are none where no collector is named", async () => {
    await using one = await started({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "" });
    await ask(`${one.url}/after/0`);
    one.kill("SIGTERM");
    assert.equal((await one.closed).code, 0);
    const { spans_exported, spans_dropped } = one.lines().at(-1) ?? {};
    assert.deepEqual([spans_exported, spans_dropped], [0, 0]);
  });
});

/** Sends bytes as they are; everything that comes back. */
function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
  return text(socket);
}

describe("a process that serves", () => {
  it("tells how it woke: in its first reply, in a line, and in spans that lead from its start to that request", async () => {
    await using sink = await openSink();
    const startMs = Date.now();
    await using one = await started({}, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_BSP_SCHEDULE_DELAY: "1" });
    const reply = await fetch(`${one.url}/after/0`);
    const elapsedMs = Date.now() - startMs;
    const [, wakeMs] = /^cold;dur=([\d.]+);desc="fixture"$/.exec(reply.headers.get("Server-Timing") ?? "") ?? [];
    assert.ok(Number(wakeMs) > 0 && Number(wakeMs) < elapsedMs, `${wakeMs} of ${elapsedMs} ms`);
    assert.equal((await fetch(`${one.url}/after/0`)).headers.get("Server-Timing"), null);

    const line = await eventually("it says so", () => one.lines().find(({ msg }) => msg === "cold start"));
    const phases = ["modules_ms", "config_ms", "listen_ms", "idle_ms", "first_request_ms"].map((name) => line[name]);
    for (const ms of phases) assert.ok(typeof ms === "number" && ms >= 0, `${phases}`);
    const sumMs = (phases as number[]).reduce((sum, ms) => sum + ms);
    assert.ok(sumMs > Number(wakeMs) && sumMs < elapsedMs + 1, `${phases} in ${elapsedMs} ms`);

    await eventually("the spans have come", () => sink.spans.length === 6);
    const boots = sink.spans.filter(({ name }) => name.startsWith("boot "));
    assert.equal(boots.length, 4);
    const server = sink.spans.find(({ spanId }) => spanId === line.span_id);
    assert.equal(server?.name, "GET /after/:ms");
    assert.equal(server.attributes["faas.coldstart"], true);
    for (const [index, { parentSpanId, startMs, endMs }] of boots.entries()) {
      assert.equal(parentSpanId, server.spanId);
      assert.ok(endMs >= startMs);
      const next = boots[index + 1];
      if (next) assert.ok(Math.abs(next.startMs - endMs) < 0.01, "one leads to the next");
      else assert.ok(endMs < server.startMs + 2 && endMs < server.endMs, "the last to the request");
    }
  });

  it("tells of a method that HTTP does not know as _OTHER, wherever it tells of it", async () => {
    await using sink = await openSink();
    await using one = await started({}, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_BSP_SCHEDULE_DELAY: "1" });
    const head = "Host: fixture\r\nConnection: close\r\n\r\n";
    const reply = await raw(one.url, `PROPFIND /after/0 HTTP/1.1\r\n${head}`);
    assert.match(reply, /^HTTP\/1\.1 405 /);
    const line = await eventually("it is logged", () => one.lines().find(({ msg }) => msg === "request"));
    assert.deepEqual([line.method, line.route, line.status_code], ["_OTHER", "unmatched", 405]);
    const metrics = await (await fetch(`${one.url}/metrics`)).text();
    assert.match(metrics, /^http_requests_total\{method="_OTHER",.*route="unmatched".*\} 1$/m);
    const span = await eventually("its span has come", () => sink.spans.find(({ kind }) => kind === 2));
    assert.equal(span.name, "HTTP");
    assert.equal(span.attributes["http.request.method"], "_OTHER");
    assert.doesNotMatch(JSON.stringify(one.lines()) + metrics + JSON.stringify(sink.spans), /PROPFIND/);
  });

  it("refuses a Host that is none, and tells of it as of any request", async () => {
    await using one = await started();
    const hosts = ["a b", "[::", "fixture:99999", "<planted>", "%"];
    for (const host of hosts) {
      const reply = await raw(one.url, `GET /after/0 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.match(reply, /^HTTP\/1\.1 400 /, host);
    }
    await eventually("each is logged", () => one.count("request") === hosts.length);
    assert.ok(one.lines().every(({ level }) => level === "info"));
    const metrics = await (await fetch(`${one.url}/metrics`)).text();
    const counts = [...metrics.matchAll(/^http_requests_total\{.*status_code="400".*\} (\d+)$/gm)];
    assert.equal(
      counts.reduce((sum, [, count]) => sum + Number(count), 0),
      hosts.length,
    );
  });
});

describe("a connection", () => {
  it("that its caller closes ends the call, whatever it had sent", async () => {
    await using one = await started();
    const sendings = [
      { method: "GET" },
      { method: "POST", headers: { "Content-Length": 2 } },
      { method: "POST", headers: { "Transfer-Encoding": "chunked" } },
    ];
    for (const [index, { method, headers }] of sendings.entries()) {
      const request = http.request(`${one.url}/watched`, { method, headers, agent: false }).on("error", () => {});
      request.end(method === "POST" ? "{}" : undefined);
      await eventually("the request is in flight", () => one.count("begun") === index + 1);
      request.destroy();
      await eventually(`the call of ${JSON.stringify(headers)} ends`, () => one.count("aborted") === index + 1, 2_000);
    }
  });

  it("may be idle for longer than a proxy keeps it, and a reply may be slow", {
    skip: !isBun && "Deno has no idle timeout",
  }, async () => {
    const first =
      "const { serve: real } = Bun; Bun.serve = (given) => { console.log(JSON.stringify({ msg: 'serve', ...given })); return real(given); };";
    await using one = await started({ first });
    const { idleTimeout } = one.lines().find(({ msg }) => msg === "serve") ?? {};
    assert.ok(Number(idleTimeout) > 90, `${idleTimeout} s`);
  });
});

describe("a program", () => {
  it("that cannot read its configuration says in one line everything that is wrong, and exits 1", async () => {
    await using one = await run({}, { PORT: "planted", LOG_LEVEL: "planted" });
    assert.equal((await one.closed).code, 1);
    assert.deepEqual(
      one.lines().map(({ level, msg }) => [level, msg]),
      [
        [
          "fatal",
          "Cannot start: LOG_LEVEL should be trace, debug, info, warn, error or fatal; PORT should be an integer from 1 to 65535",
        ],
      ],
    );
  });

  it("whose port is taken says so in one line, and exits 1", async () => {
    await using rival = await listen((_, reply) => void reply.end());
    const { port } = new URL(rival.url);
    await using one = await run({}, { PORT: port });
    assert.equal((await one.closed).code, 1);
    assert.deepEqual(
      one.lines().map(({ level, msg }) => [level, msg]),
      [["fatal", `Cannot listen on "127.0.0.1:${port}": it is taken, or not ours to take`]],
    );
  });

  it("whose main throws says what in one line, and exits 1", async () => {
    for (const thrown of ["new Error('Cannot run \"x\": should be serve')", "'planted'"]) {
      await using one = await run({ main: `throw ${thrown};` });
      assert.equal((await one.closed).code, 1);
      assert.equal(one.lines().length, 1);
      assert.equal(one.lines()[0]?.msg, thrown === "'planted'" ? "Cannot start" : 'Cannot run "x": should be serve');
    }
  });

  it("logs at the level it is told to", async () => {
    await using one = await run({ main: "log.warn('heard'); throw new Error('end');" }, { LOG_LEVEL: "error" });
    await one.closed;
    assert.equal(one.count("heard"), 0);
    assert.equal(one.count("end"), 1);
  });

  it("has written every line before it ends", async () => {
    const main =
      "for (let i = 0; i < 5_000; i++) log.info('x'.repeat(100)); log.fatal = log.error; throw new Error('end');";
    await using one = await run({ main });
    await one.closed;
    assert.equal(one.lines().length, 5_001);
  });
});
