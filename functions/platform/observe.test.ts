import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { Hono } from "hono";
import * as v from "valibot";
import { input, jsonInput } from "./api.ts";
import { type App, createApp } from "./app.ts";
import { Problem } from "./problem.ts";
import type { CallEnv } from "./receive.ts";
import { aborted, testTelemetry, warm } from "./testing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerSpanId = "b7ad6b7169203331";
const json = { "Content-Type": "application/json" };

function openApp(options: Partial<Parameters<typeof createApp>[0]> = {}, telemetry = warm(testTelemetry())) {
  const app = createApp({ telemetry, info: { title: "things", description: "" }, ...options });
  const fits = input("param", v.object({ id: v.pipe(v.string(), v.maxLength(3)) }));
  app.get("/things/:id", fits, (c) => c.json({ id: c.req.param("id") }));
  app.delete("/things/:id", (c) => c.body(null, 204));
  app.post("/things", jsonInput(v.looseObject({})), (c) => c.json({}, 201));
  app.get("/broken", () => {
    throw new TypeError("no stock");
  });
  app.get("/thrown", () => {
    throw "planted";
  });
  app.get("/away", () => {
    throw new Problem("unavailable", "the database is not available");
  });
  app.get("/odd", (c) => c.body(null, 502));
  app.use("/guarded/*", (c) => Promise.resolve(c.text("no", 403)));
  app.get("/guarded/:id", () => assert.fail("reached"));
  const below = new Hono<CallEnv>().get("/parts/:part", (c) => c.text("part"));
  app.route("/machines/:machine", below);
  app.all("/any/*", (c) => c.text("any"));
  return { app, telemetry };
}

type Expected = { method: string; route: string; status: number };
type Case = [what: string, target: string, init: RequestInit, expected: Expected];

const cases: Case[] = [
  ["a success", "/things/cup?size=9", {}, { method: "GET", route: "/things/:id", status: 200 }],
  ["a HEAD", "/things/cup", { method: "HEAD" }, { method: "HEAD", route: "/things/:id", status: 200 }],
  ["another method", "/things/cup", { method: "DELETE" }, { method: "DELETE", route: "/things/:id", status: 204 }],
  ["a description", "/openapi.json", {}, { method: "GET", route: "/openapi.json", status: 200 }],
  ["a sub-path", "/machines/a/parts/b", {}, { method: "GET", route: "/machines/:machine/parts/:part", status: 200 }],
  ["a path with any method", "/any/x/y", { method: "PATCH" }, { method: "PATCH", route: "/any/*", status: 200 }],
  ["an unknown path", "/planted", {}, { method: "GET", route: "unmatched", status: 404 }],
  ["the root", "/", {}, { method: "GET", route: "unmatched", status: 404 }],
  ["an unknown sub-path", "/machines/a/planted", {}, { method: "GET", route: "unmatched", status: 404 }],
  ["a slash too many", "/things/planted/", {}, { method: "GET", route: "unmatched", status: 404 }],
  ["a method not allowed", "/things/planted", { method: "PUT" }, { method: "PUT", route: "unmatched", status: 405 }],
  ["a preflight", "/things/planted", { method: "OPTIONS" }, { method: "OPTIONS", route: "unmatched", status: 405 }],
  ["a probe's other method", "/healthz", { method: "POST" }, { method: "POST", route: "unmatched", status: 405 }],
  [
    "a body that is not JSON",
    "/things",
    { method: "POST", headers: json, body: "{" },
    { method: "POST", route: "/things", status: 400 },
  ],
  [
    "a body too large",
    "/things",
    { method: "POST", headers: json, body: " ".repeat(65_537) },
    { method: "POST", route: "/things", status: 413 },
  ],
  [
    "a media type of another kind",
    "/things",
    { method: "POST", body: "{}" },
    { method: "POST", route: "/things", status: 415 },
  ],
  ["a refusal by a middleware", "/guarded/cup", {}, { method: "GET", route: "/guarded/:id", status: 403 }],
  ["a fault of ours", "/broken", {}, { method: "GET", route: "/broken", status: 500 }],
  ["what is thrown and no error", "/thrown", {}, { method: "GET", route: "/thrown", status: 500 }],
  ["a problem", "/away", {}, { method: "GET", route: "/away", status: 503 }],
  ["a 5xx that nobody threw", "/odd", {}, { method: "GET", route: "/odd", status: 502 }],
];

/** Asserts that what was asked is told exactly once in each place, and in all the same. */
async function assertToldOnce(telemetry: ReturnType<typeof testTelemetry>, { method, route, status }: Expected) {
  const labels = { method, route, status_code: `${status}` };
  assert.equal(await telemetry.value("http_requests_total"), 1);
  assert.equal(await telemetry.value("http_requests_total", labels), 1);
  assert.equal(await telemetry.value("http_request_duration_seconds_count"), 1);
  assert.equal(await telemetry.value("http_request_duration_seconds_count", { ...labels, cold: "false" }), 1);

  await telemetry.close();
  const [span] = telemetry.spans;
  assert.equal(telemetry.spans.length, 1);
  assert.equal(span?.kind, SpanKind.SERVER);
  assert.equal(span.attributes["http.request.method"], method);
  assert.equal(span.attributes["http.route"], route === "unmatched" ? undefined : route);
  assert.equal(span.attributes["http.response.status_code"], status);
  assert.equal(span.name, route === "unmatched" ? method : `${method} ${route}`);
  assert.equal(span.status.code, status >= 500 ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
  assert.equal(span.attributes["error.type"], status >= 500 ? `${status}` : undefined);

  const [line] = telemetry.lines;
  assert.equal(telemetry.lines.length, 1);
  assert.equal(line?.msg, "request");
  assert.equal(line.level, status >= 500 ? "error" : "info");
  assert.deepEqual([line.method, line.route, line.status_code], [method, route, status]);
  assert.equal(line.trace_id, span.spanContext().traceId);
  assert.equal(line.span_id, span.spanContext().spanId);

  const [ms, sum] = [Number(line.duration_ms), await telemetry.value("http_request_duration_seconds_sum")];
  assert.ok(Math.abs(ms - Number(sum) * 1_000) <= 0.005, `${ms} ms in the line, ${sum} s in the metric`);
}

describe("a request is counted, timed, logged and traced once, as the same:", () => {
  for (const [what, target, init, expected] of cases) {
    it(what, async () => {
      const { app, telemetry } = openApp();
      assert.equal((await app.request(target, init)).status, expected.status);
      await assertToldOnce(telemetry, expected);
    });
  }

  it("one whose caller has gone away", async () => {
    const { app, telemetry } = openApp();
    const asked = Promise.withResolvers<void>();
    app.get("/slow", async ({ var: { call } }) => {
      asked.resolve();
      await aborted(call.signal);
      call.signal.throwIfAborted();
      return new Response();
    });
    const caller = new AbortController();
    const replied = app.request("/slow", { signal: caller.signal });
    await asked.promise;
    caller.abort();
    await replied;
    await assertToldOnce(telemetry, { method: "GET", route: "/slow", status: 499 });
  });

  it("one whose URL is none, as with a malformed Host", async () => {
    const { app, telemetry } = openApp();
    const request = Object.defineProperty(new Request("http://things/things/cup"), "url", {
      value: "http://things:99999/things/cup",
    });
    assert.equal((await app.fetch(request)).status, 400);
    await assertToldOnce(telemetry, { method: "GET", route: "/things/:id", status: 400 });
  });

  it("many at once", async () => {
    const { app, telemetry } = openApp();
    const asked = cases.flatMap((one) => Array<Case>(10).fill(one));
    await Promise.all(asked.map(([, target, init]) => app.request(target, init)));
    const told: Record<string, number> = {};
    for (const { method, route, status_code } of telemetry.lines) {
      const key = `${method} ${route} ${status_code}`;
      told[key] = (told[key] ?? 0) + 1;
    }
    assert.equal(telemetry.lines.length, asked.length);
    for (const [key, lines] of Object.entries(told)) {
      const [method = "", route = "", status_code = ""] = key.split(" ");
      const labels = { method, route, status_code };
      assert.equal(await telemetry.value("http_requests_total", labels), lines, key);
      assert.equal(await telemetry.value("http_request_duration_seconds_count", labels), lines, key);
    }
    await telemetry.close();
    const spans = telemetry.spans.map((span) => span.spanContext().spanId);
    assert.deepEqual(spans.sort(), telemetry.lines.map(({ span_id }) => span_id).sort());
  });
});

describe("probes and scrapes", () => {
  it("are neither counted, timed, logged nor traced", async () => {
    const { app, telemetry } = openApp();
    for (const path of ["/healthz", "/readyz", "/livez", "/metrics"]) {
      for (const method of ["GET", "HEAD"]) assert.equal((await app.request(path, { method })).status, 200);
    }
    await telemetry.close();
    assert.equal(await telemetry.value("http_requests_total"), undefined);
    assert.equal(await telemetry.value("http_request_duration_seconds_count"), undefined);
    assert.deepEqual(telemetry.lines, []);
    assert.deepEqual(telemetry.spans, []);
  });
});

/** What `/metrics` answers; OpenMetrics where asked for. */
const scrape = async (app: App, Accept = "application/openmetrics-text") =>
  (await app.request("/metrics", { headers: { Accept } })).text();

const linesOf = (text: string, name: string) => text.split("\n").filter((line) => line.startsWith(`${name}{`));
const labelNames = (line: string) => [...(line.split(" # ")[0] ?? "").matchAll(/(\w+)="/g)].map(([, name]) => name);

describe("the series of requests", () => {
  it("have the catalogue's labels and no others, in both formats", async () => {
    const { app } = openApp();
    for (const [, target, init] of cases) await app.request(target, init);
    for (const format of ["text/plain", "application/openmetrics-text"]) {
      const text = await scrape(app, format);
      const counts = linesOf(text, "http_requests_total");
      assert.ok(counts.length > 10);
      for (const line of counts) {
        assert.deepEqual(labelNames(line).sort(), ["method", "route", "service", "status_code"], line);
      }
      for (const part of ["bucket", "sum", "count"]) {
        const lines = linesOf(text, `http_request_duration_seconds_${part}`);
        const names = ["method", "route", "service", "status_code", "cold", ...(part === "bucket" ? ["le"] : [])];
        assert.ok(lines.length >= counts.length, part);
        for (const line of lines) assert.deepEqual(labelNames(line).sort(), names.sort(), line);
      }
    }
  });

  it("hold nothing that a caller made up", async () => {
    const { app } = openApp();
    for (const [, target, init] of cases) await app.request(`${target}?key=planted`, init);
    assert.doesNotMatch(await scrape(app), /planted|size=/);
  });

  it("keep quantiles only where they are wanted, of the same durations", async () => {
    const { app, telemetry } = openApp({ summary: true });
    await app.request("/things/cup");
    await app.request("/healthz");
    const labels = { method: "GET", route: "/things/:id" };
    assert.equal(await telemetry.value("http_request_summary_seconds_count"), 1);
    assert.equal(
      await telemetry.value("http_request_summary_seconds_sum", labels),
      await telemetry.value("http_request_duration_seconds_sum", labels),
    );
    const other = openApp();
    await other.app.request("/things/cup");
    assert.doesNotMatch(await scrape(other.app), /http_request_summary_seconds/);
  });
});

describe("the span of a request", () => {
  it("says what the conventions ask for, and holds neither query nor header nor body", async () => {
    const { app, telemetry } = openApp();
    const headers = { Cookie: "planted", Authorization: "planted", "User-Agent": "planted", "X-Request-Id": "planted" };
    await app.request("https://shop.example/things/cup?key=planted", { headers });
    await app.request("/things?key=planted", {
      method: "POST",
      headers: { ...headers, ...json },
      body: '{"planted":1}',
    });
    await telemetry.close();
    assert.deepEqual(telemetry.spans[0]?.attributes, {
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "http.route": "/things/:id",
      "url.path": "/things/cup",
      "url.scheme": "https",
      "faas.trigger": "http",
      "faas.coldstart": false,
    });
    assert.equal(telemetry.spans[1]?.attributes["url.scheme"], "http");
    for (const { attributes, events, name } of telemetry.spans) {
      assert.doesNotMatch(JSON.stringify([attributes, events, name]), /planted/);
    }
  });

  it("of an unknown path does not hold the path", async () => {
    const { app, telemetry } = openApp();
    await app.request("/planted");
    await telemetry.close();
    assert.deepEqual(telemetry.spans[0]?.attributes, {
      "http.request.method": "GET",
      "http.response.status_code": 404,
      "url.scheme": "http",
      "faas.trigger": "http",
      "faas.coldstart": false,
    });
  });

  it("of a path that does not fit its route, or that no route looks at, does not hold the path", async () => {
    const { app, telemetry } = openApp();
    assert.equal((await app.request("/things/planted")).status, 400);
    assert.equal((await app.request("/any/planted")).status, 200);
    await telemetry.close();
    const routes = telemetry.spans.map(({ attributes }) => [attributes["http.route"], attributes["url.path"]]);
    assert.deepEqual(routes, [
      ["/things/:id", undefined],
      ["/any/*", undefined],
    ]);
  });

  it("of a fault holds nothing of the error", async () => {
    const { app, telemetry } = openApp();
    app.get("/planted", () => {
      throw Object.assign(new TypeError("planted"), { code: "planted" });
    });
    await app.request("/planted");
    await telemetry.close();
    const { attributes, events, status } = telemetry.spans[0] ?? {};
    assert.equal(attributes?.["error.type"], "500");
    assert.deepEqual(events, []);
    assert.deepEqual(status, { code: SpanStatusCode.ERROR });
  });

  it("of a method that HTTP does not know is called HTTP, and has the method _OTHER", async () => {
    const { app, telemetry } = openApp();
    // Bun's Request knows no method of one's own: only its server hands one on.
    const request = Object.defineProperty(new Request("http://things/any/x"), "method", { value: "PLANTED" });
    assert.equal((await app.fetch(request)).status, 200);
    await telemetry.close();
    assert.equal(telemetry.spans[0]?.name, "HTTP /any/*");
    assert.equal(telemetry.spans[0].attributes["http.request.method"], "_OTHER");
    assert.equal(await telemetry.value("http_requests_total", { method: "_OTHER", route: "/any/*" }), 1);
    assert.equal(telemetry.lines[0]?.method, "_OTHER");
    assert.doesNotMatch(telemetry.text() + (await scrape(app)), /PLANTED/);
  });
});

describe("an exemplar", () => {
  const pattern = / # \{trace_id="([0-9a-f]{32})",span_id="([0-9a-f]{16})"\} [\d.e-]+ [\d.]+$/;
  const exemplars = (text: string) =>
    linesOf(text, "http_request_duration_seconds_bucket").flatMap((line) => pattern.exec(line) ?? []);

  it("leads from a bucket, all labels on it, to the span that was in it", async () => {
    const { app, telemetry } = openApp();
    await app.request("/things/cup", { headers: { traceparent: `00-${traceId}-${callerSpanId}-01` } });
    const [, trace, span] = exemplars(await scrape(app));
    await telemetry.close();
    assert.equal(trace, traceId);
    assert.equal(span, telemetry.spans[0]?.spanContext().spanId);
  });

  it("is never a span that is not kept", async () => {
    const off = warm(testTelemetry({ env: { OTEL_TRACES_SAMPLER: "always_off" } }));
    const { app } = openApp({}, off);
    await app.request("/things/cup");
    assert.deepEqual(exemplars(await scrape(app)), []);

    const inside = openApp();
    await inside.app.request("/things/cup", { headers: { traceparent: `00-${traceId}-${callerSpanId}-00` } });
    assert.deepEqual(exemplars(await scrape(inside.app)), []);
    await inside.app.request("/things/cup", { headers: { traceparent: `00-${traceId}-${callerSpanId}-01` } });
    await inside.app.request("/things/cup", { headers: { traceparent: `00-${"1".repeat(32)}-${callerSpanId}-00` } });
    const found = exemplars(await scrape(inside.app));
    assert.equal(found[1], traceId, "a later one that is not kept does not take its place");
    await inside.telemetry.close();
    assert.equal(inside.telemetry.spans.length, 1);
    assert.equal(await inside.telemetry.value("http_requests_total"), 3);
  });

  it("is nowhere in the older format, which has none", async () => {
    const { app } = openApp();
    await app.request("/things/cup");
    assert.doesNotMatch(await scrape(app, "text/plain"), /trace_id/);
  });
});
