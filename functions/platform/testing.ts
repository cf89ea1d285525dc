import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { createScratch } from "@shop/dev/database";
import { startPostgres } from "@shop/dev/postgres";
import * as v from "valibot";
import type { App } from "./app.ts";
import { type Boot, createBoot, phases } from "./boot.ts";
import type { Call } from "./call.ts";
import { deadlineSignal } from "./call.ts";
import { readConfig } from "./config.ts";
import { createDatabase, type Database } from "./database.ts";
import type { Exporter } from "./delivery.ts";
import { createLogger, type Logger } from "./log.ts";
import { otelEntries } from "./otel-config.ts";
import { ProblemBody, type ProblemCode, problemMediaType, problems } from "./problem.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";
import type { Trace } from "./trace.ts";

export { freePort } from "@shop/dev/postgres";

/** A logger whose lines a test can read. */
export function captureLog(service = "test"): { log: Logger; lines: Record<string, unknown>[]; text(): string } {
  const raw: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => {
    raw.push(line);
    lines.push(JSON.parse(line));
  };
  return { log: createLogger({ service, level: "trace", destination: { write } }), lines, text: () => raw.join("") };
}

/** Takes every span it is given. */
export function spanSink(): { spans: ReadableSpan[]; exporter: Exporter } {
  const spans: ReadableSpan[] = [];
  const exporter: Exporter = {
    export(batch, done) {
      spans.push(...batch);
      done({ code: 0 });
    },
    shutdown: async () => {},
  };
  return { spans, exporter };
}

/** Telemetry whose lines, spans and metrics a test can read; its first request is cold, see {@link warm}. */
export function testTelemetry({
  service = "test",
  env = {},
  exporter,
  boot = createBoot(),
}: {
  service?: string;
  env?: Record<string, string>;
  exporter?: Exporter;
  boot?: Boot;
} = {}) {
  const { log, lines, text } = captureLog(service);
  const sink = spanSink();
  const config = readConfig(otelEntries, { OTEL_BSP_SCHEDULE_DELAY: "1", ...env });
  const telemetry = createTelemetry({ service, log, boot, config, exporter: exporter ?? sink.exporter });
  return {
    ...telemetry,
    lines,
    text,
    /** The spans that have been exported. */
    spans: sink.spans,
    /** The value of a series, its labels in any order; undefined when there is none. */
    async value(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
      const families = (await telemetry.metrics.registry.getMetricsAsJSON()) as unknown as {
        values: { labels: Record<string, string>; value: number; metricName?: string }[];
        name: string;
      }[];
      const wanted = Object.entries(labels);
      return families
        .flatMap((family) => family.values.map((one) => ({ metricName: family.name, ...one })))
        .filter((one) => one.metricName === name && wanted.every(([key, value]) => `${one.labels[key]}` === value))
        .reduce<number | undefined>((sum, { value }) => (sum ?? 0) + value, undefined);
    },
  };
}

/** As after its first reply: no request is cold any more. */
export function warm<T extends Telemetry>(telemetry: T): T {
  for (const phase of phases) telemetry.endPhase(phase);
  return telemetry;
}

/** Whether what a span causes elsewhere is sampled (W3C Trace Context §3.2.2.5). */
export const isSampled = ({ headers }: Trace): boolean =>
  (Number.parseInt(headers.traceparent?.slice(-2) ?? "", 16) & 1) === 1;

/** A call as a request would make one; ends by itself at its deadline, `timeoutMs` from now. */
export function testCall({
  telemetry = testTelemetry(),
  log = telemetry.log,
  timeoutMs = 10_000,
}: {
  telemetry?: Telemetry;
  log?: Logger;
  timeoutMs?: number;
} = {}): Call {
  const deadlineMs = Date.now() + timeoutMs;
  const { signal } = deadlineSignal(deadlineMs);
  return { log, requestId: "test", trace: telemetry.tracing.begin("test"), cold: [], deadlineMs, signal };
}

/** A peer: a real HTTP server on a free port. */
export async function listen(answer: RequestListener): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asserts that a reply is the problem `code` in full (RFC 9457), and returns its body. */
export async function assertProblem(response: Response, code: ProblemCode): Promise<ProblemBody> {
  const text = await response.text();
  assert.equal(response.status, problems[code].status, text);
  assert.equal(response.headers.get("Content-Type"), problemMediaType);
  const body = v.parse(ProblemBody, JSON.parse(text));
  assert.equal(body.code, code, text);
  assert.equal(body.status, response.status);
  assert.equal(body.title, problems[code].title);
  return body;
}

/** Asks applications and remembers what they answered, to hold it against their description. */
export function createWitness() {
  const seen: { method: string; path: string; status: number }[] = [];
  return {
    async ask(app: App, target: string, init: RequestInit = {}): Promise<Response> {
      const response = await app.request(target, init);
      const [path = ""] = target.split("?");
      seen.push({ method: init.method ?? "GET", path, status: response.status });
      return response;
    },

    /** Asserts that `/openapi.json` gives each operation exactly the statuses seen: all described, none without a test. */
    async assertDescribed(app: App): Promise<void> {
      const { paths } = (await (await app.request("/openapi.json")).json()) as OpenApi;
      const described = Object.entries(paths).flatMap(([template, methods]) =>
        Object.entries(methods).flatMap(([method, { responses }]) =>
          Object.keys(responses).map((status) => `${method.toUpperCase()} ${template} ${status}`),
        ),
      );
      const observed = seen
        .filter(({ status }) => status !== problems.method_not_allowed.status)
        .map(({ method, path, status }) => {
          const template = Object.keys(paths).find((one) =>
            new RegExp(`^${one.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
          );
          return `${method} ${template ?? path} ${status}`;
        });
      assert.deepEqual([...new Set(observed)].sort(), described.sort());
    },
  };
}

type OpenApi = { paths: Record<string, Record<string, { responses: Record<string, unknown> }>> };

/** A database that nobody serves. */
export function unreachableDatabase(log: Logger = captureLog().log): Database {
  return createDatabase({ url: "postgres://nobody@127.0.0.1:1/nowhere", log });
}

/** Holds every statement on `table` until it is released. */
export async function lockTable({ pool }: Database, table: string): Promise<{ release(): Promise<void> }> {
  const client = await pool.connect();
  await client.query(`begin; lock table ${table} in access exclusive mode`);
  return {
    async release() {
      await client.query("rollback");
      client.release();
    },
  };
}

/** Waits until `condition` gives something, asking again at once after each answer; fails at `deadlineMs` naming `what`. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 10_000,
  everyMs = 5,
): Promise<NonNullable<T>> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
    if (Date.now() > deadlineMs) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Waits until `signal` has aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A clock that stands until it is told to move. */
export function fakeClock(startMs = 0): { now: () => number; advance(ms: number): void } {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}

/**
 * A fresh database with the owner's schema and seed, on the server at `TEST_DATABASE_URL`, else on one of this process's own.
 * `drop` it after the suite.
 */
export async function freshDatabase(
  owner: "inventory" | "orders" | "users",
): Promise<{ url: string; drop(): Promise<void> }> {
  const given = process.env.TEST_DATABASE_URL;
  const server = given ? { url: given, stop: async () => {} } : await ownServer();
  const scratch = await createScratch(server.url, owner);
  return {
    url: scratch.url,
    async drop() {
      await scratch.drop();
      await server.stop();
    },
  };
}

/** Throw-away PostgreSQL for one suite: not durable, gone with its folder. */
export async function ownServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "shop-postgres-"));
  const server = await startPostgres({ dataDir, durable: false });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
