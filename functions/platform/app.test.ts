import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { jsonInput } from "./api.ts";
import { type App, createApp } from "./app.ts";
import { type Call, DeadlineExceeded } from "./call.ts";
import { PeerProblem, Problem } from "./problem.ts";
import { aborted, assertProblem, fakeClock, testTelemetry, warm } from "./testing.ts";

const nowMs = 1_700_000_000_000;
const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerSpanId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${callerSpanId}-01`;
const json = { "Content-Type": "application/json" };

function openApp(options: Partial<Parameters<typeof createApp>[0]> = {}) {
  const telemetry = warm(testTelemetry({ service: "things" }));
  const app = createApp({ telemetry, ...options });
  app.get("/call", ({ json, var: { call } }) => json({ ...call, log: undefined, signal: undefined }));
  app.get("/things/:id", (c) => c.json({ id: c.req.param("id") }));
  app.delete("/things/:id", (c) => c.body(null, 204));
  app.post("/things", jsonInput(v.looseObject({})), (c) => c.json({ ok: true }, 201));
  app.get("/page", (c) => c.html("<p>", 200, { "Content-Security-Policy": "own", "Cache-Control": "no-cache" }));
  app.get("/broken", () => {
    throw new TypeError("cannot read stock", { cause: new Error("connection lost") });
  });
  return { app, ...telemetry };
}

async function callOf(app: App, headers: Record<string, string> = {}): Promise<Call> {
  const reply = await app.request("/call", { headers });
  return (await reply.json()) as Call;
}

const streamOf = (...chunks: Uint8Array<ArrayBuffer>[]) =>
  new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
  });

const postOf = (init: RequestInit) =>
  new Request("http://things/things", { method: "POST", duplex: "half", ...init } as RequestInit);

describe("health routes", () => {
  it("answer OK and leave no line in the log", async () => {
    const { app, lines } = openApp();
    for (const path of ["/healthz", "/readyz", "/livez"]) {
      const reply = await app.request(path);
      assert.equal(reply.status, 200);
      assert.equal(await reply.text(), "OK");
      assert.equal((await app.request(path, { method: "HEAD" })).status, 200);
    }
    assert.deepEqual(lines, []);
  });

  it("have no other methods", async () => {
    const reply = await openApp().app.request("/healthz", { method: "POST" });
    assert.equal(reply.headers.get("Allow"), "GET, HEAD");
    await assertProblem(reply, "method_not_allowed");
  });
});

describe("/metrics", () => {
  // What Prometheus 3 sends.
  const prometheus =
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6," +
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3";
  const openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
  const plain = "text/plain; version=0.0.4; charset=utf-8";
  const wishes: [accept: string | undefined, type: string][] = [
    [prometheus, openMetrics],
    ["application/openmetrics-text", openMetrics],
    ["APPLICATION/OPENMETRICS-TEXT; version=1.0.0", openMetrics],
    ["text/plain;q=0.5, application/openmetrics-text;q=0.6", openMetrics],
    ["application/openmetrics-text;q=0.5, text/plain;q=0.6", plain],
    ["application/openmetrics-text;q=0, */*", plain],
    ["text/plain", plain],
    ["text/plain; version=0.0.4", plain],
    ["*/*", plain],
    ["text/html", plain],
    ["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", plain],
    [";;q=,", plain],
    ["", plain],
    [undefined, plain],
  ];
  for (const [accept, type] of wishes) {
    it(`is ${type.split(";")[0]} for ${accept === undefined ? "no Accept" : `"${accept}"`}`, async () => {
      const { app } = openApp();
      await app.request("/things/cup");
      const reply = await app.request("/metrics", { headers: accept === undefined ? {} : { Accept: accept } });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers.get("Content-Type"), type);
      const text = await reply.text();
      assert.match(text, /^http_requests_total\{.*\} 1$/m);
      assert.equal(text.endsWith("\n# EOF\n"), type === openMetrics);
    });
  }

  it("is nothing through a proxy, which is counted as any path that is not there", async () => {
    const proxied = [{ "X-Forwarded-For": "203.0.113.9" }, { Forwarded: "for=203.0.113.9" }, { "X-Forwarded-For": "" }];
    for (const headers of proxied) {
      const { app, lines, value } = openApp();
      const reply = await app.request("/metrics", { headers });
      assert.doesNotMatch(await reply.clone().text(), /http_requests_total/);
      await assertProblem(reply, "not_found");
      assert.equal(await value("http_requests_total"), 1);
      assert.equal(await value("http_requests_total", { route: "unmatched", status_code: "404" }), 1);
      assert.deepEqual([lines.length, lines[0]?.route, lines[0]?.status_code], [1, "unmatched", 404]);
    }
  });

  it("is not in the function's description", async () => {
    const { app } = openApp({ info: { title: "things", description: "" } });
    assert.doesNotMatch(await (await app.request("/openapi.json")).text(), /metrics/);
  });
});

describe("a call", () => {
  it("keeps the request id it came with, and returns it", async () => {
    const reply = await openApp().app.request("/call", { headers: { "X-Request-Id": "abc-123_=" } });
    assert.equal(reply.headers.get("X-Request-Id"), "abc-123_=");
    assert.equal(((await reply.json()) as Call).requestId, "abc-123_=");
  });

  it("gets a request id in place of an absent or malformed one, and returns it", async () => {
    for (const id of ["", "a b", "a".repeat(65), '{"a":1}', "a/b"]) {
      const reply = await openApp().app.request("/call", { headers: { "X-Request-Id": id } });
      const { requestId } = (await reply.json()) as Call;
      assert.match(requestId, /^[0-9a-f-]{36}$/, id);
      assert.equal(reply.headers.get("X-Request-Id"), requestId);
    }
  });

  it("keeps its caller's trace, with a span of its own, and gets a trace in place of a malformed one", async () => {
    const { app } = openApp();
    const kept = (await callOf(app, { traceparent })).trace;
    assert.equal(kept.traceId, traceId);
    assert.notEqual(kept.spanId, callerSpanId);
    assert.deepEqual(kept.headers, { traceparent: `00-${traceId}-${kept.spanId}-01` });
    for (const malformed of ["", traceId, "00-abc-def-01", traceparent.toUpperCase(), `${traceparent}-more`]) {
      const minted = (await callOf(app, { traceparent: malformed })).trace;
      assert.match(minted.traceId, /^(?!0{32})[0-9a-f]{32}$/);
      assert.notEqual(minted.traceId, traceId, malformed);
      assert.deepEqual(minted.headers, { traceparent: `00-${minted.traceId}-${minted.spanId}-01` });
    }
  });

  const deadlineOf = async (header?: string | number, options = {}): Promise<number> => {
    const { app } = openApp({ clock: fakeClock(nowMs).now, ...options });
    const { deadlineMs } = await callOf(app, header === undefined ? {} : { "Request-Deadline": String(header) });
    return deadlineMs;
  };

  it("ends ten seconds from now when nobody said otherwise", async () => {
    assert.equal(await deadlineOf(undefined), nowMs + 10_000);
    assert.equal(await deadlineOf(undefined, { timeoutMs: 3_000 }), nowMs + 3_000);
  });

  it("ends at its caller's deadline, inside", async () => {
    assert.equal(await deadlineOf(nowMs + 2_500), nowMs + 2_500);
    assert.equal(await deadlineOf(nowMs - 1), nowMs - 1);
  });

  it("never ends later than it would by itself", async () => {
    assert.equal(await deadlineOf(nowMs + 60_000), nowMs + 10_000);
  });

  it("ignores a malformed deadline", async () => {
    for (const header of [
      "",
      "soon",
      "-1",
      "0",
      2_500,
      nowMs * 10,
      "0x18bcfe56800",
      `${nowMs}.5`,
      `${nowMs}, ${nowMs}`,
    ]) {
      assert.equal(await deadlineOf(header), nowMs + 10_000, `"${header}"`);
    }
  });

  it("ignores every foreign deadline at the edge", async () => {
    assert.equal(await deadlineOf(nowMs + 2_500, { position: "edge" }), nowMs + 10_000);
  });

  it("aborts what its handler does when the deadline comes", async () => {
    const { app } = openApp({ timeoutMs: 20 });
    app.get("/slow", async ({ var: { call } }) => {
      await aborted(call.signal);
      throw new Problem("deadline_exceeded", "too slow");
    });
    await assertProblem(await app.request("/slow"), "deadline_exceeded");
  });

  it("aborts what its handler does when the caller goes away, which is no fault of ours", async () => {
    const { app, lines } = openApp({ timeoutMs: 2_000 });
    const reached = Promise.withResolvers<AbortSignal>();
    app.post("/slow", async ({ var: { call } }) => {
      reached.resolve(call.signal);
      await aborted(call.signal);
      call.signal.throwIfAborted();
    });
    const caller = new AbortController();
    const replied = app.request("/slow", { method: "POST", body: "{}", signal: caller.signal });
    const signal = await reached.promise;
    caller.abort();
    assert.equal((await replied).status, 499);
    assert.ok(!(signal.reason instanceof DeadlineExceeded));
    assert.equal(lines[0]?.status_code, 499);
    assert.equal(lines[0]?.level, "info");
  });
});

describe("the access log", () => {
  it("has one line a request with the catalogue's fields", async () => {
    const { app, lines } = openApp();
    await app.request("/things/cup?size=9", { headers: { traceparent, "X-Request-Id": "abc" } });
    assert.equal(lines.length, 1);
    const { time, duration_ms, span_id, ...rest } = lines[0] ?? {};
    assert.ok(Date.parse(String(time)) > 0);
    assert.match(String(span_id), /^[0-9a-f]{16}$/);
    assert.ok(typeof duration_ms === "number" && duration_ms >= 0 && duration_ms < 10_000);
    assert.deepEqual(rest, {
      level: "info",
      service: "things",
      request_id: "abc",
      trace_id: traceId,
      method: "GET",
      route: "/things/:id",
      status_code: 200,
      msg: "request",
    });
  });

  it("names the route's template, and unmatched where there is none", async () => {
    const { app, lines } = openApp({ info: { title: "things", description: "" } });
    for (const path of ["/things/cup", "/things", "/broken", "/openapi.json", "/nowhere/planted", "/"])
      await app.request(path);
    await app.request("/things", { method: "POST", headers: json, body: "{" });
    await app.request("/things/cup", { method: "DELETE" });
    assert.deepEqual(
      lines.map(({ method, route, status_code }) => `${method} ${route} ${status_code}`),
      [
        "GET /things/:id 200",
        "GET unmatched 405",
        "GET /broken 500",
        "GET /openapi.json 200",
        "GET unmatched 404",
        "GET unmatched 404",
        "POST /things 400",
        "DELETE /things/:id 204",
      ],
    );
  });

  it("calls an unknown method _OTHER", async () => {
    const { app, lines } = openApp();
    // Bun's Request knows no method of one's own: only its server hands one on.
    const request = Object.defineProperty(new Request("http://things/things/cup"), "method", { value: "PLANTED" });
    assert.equal((await app.fetch(request)).status, 405);
    assert.equal(lines[0]?.method, "_OTHER");
  });

  it("is an error with its causes for a fault of ours, and information for anything else", async () => {
    const { app, lines } = openApp();
    await app.request("/broken");
    await app.request("/nowhere");
    const { level, err } = lines[0] as { level: string; err: Record<string, unknown> & { cause: { message: string } } };
    assert.equal(level, "error");
    assert.equal(err.type, "TypeError");
    assert.equal(err.message, "cannot read stock");
    assert.equal(err.cause.message, "connection lost");
    assert.equal(lines[1]?.level, "info");
    assert.equal(lines[1]?.err, undefined);
  });

  it("gives a handler's own lines the request's ids", async () => {
    const { app, lines } = openApp();
    app.get("/note", (c) => {
      c.var.call.log.warn("order stays pending");
      return c.body(null);
    });
    await app.request("/note", { headers: { traceparent, "X-Request-Id": "abc" } });
    const { time, ...rest } = lines[0] ?? {};
    assert.ok(time);
    assert.deepEqual(rest, {
      level: "warn",
      service: "things",
      request_id: "abc",
      trace_id: traceId,
      span_id: lines[1]?.span_id,
      msg: "order stays pending",
    });
  });
});

describe("a problem", () => {
  it("names the request's trace", async () => {
    const body = await assertProblem(
      await openApp().app.request("/nowhere", { headers: { traceparent } }),
      "not_found",
    );
    assert.equal(body.traceId, traceId);
    assert.equal(body.type, "/docs/problems#not_found");
  });

  it("is 404 where there is no such path", async () => {
    const body = await assertProblem(await openApp().app.request("/nowhere/planted"), "not_found");
    assert.doesNotMatch(JSON.stringify(body), /planted/);
  });

  it("is 405 with Allow where the path has other methods", async () => {
    const reply = await openApp().app.request("/things/cup", { method: "PUT", headers: json, body: "{}" });
    assert.equal(reply.headers.get("Allow"), "GET, HEAD, DELETE");
    await assertProblem(reply, "method_not_allowed");
  });

  it("is 400 for a body that is not JSON, and 415 for another media type", async () => {
    const { app } = openApp();
    await assertProblem(await app.request("/things", { method: "POST", headers: json, body: "{" }), "invalid");
    await assertProblem(await app.request("/things", { method: "POST", body: "{}" }), "unsupported_media_type");
  });

  it("is 413 for a body declared too large, of which nothing is read", async () => {
    let chunks = 0;
    const body = new ReadableStream({ pull: () => void chunks++ }, { highWaterMark: 0 });
    const request = postOf({ headers: { ...json, "Content-Length": "65537" }, body });
    await assertProblem(await openApp().app.fetch(request), "payload_too_large");
    assert.equal(chunks, 0);
  });

  it("is 413 for a body that turns out too large, of which no more is read", async () => {
    let chunks = 0;
    const body = new ReadableStream({
      pull(controller) {
        chunks++;
        controller.enqueue(new Uint8Array(16_384).fill(0x20));
      },
    });
    await assertProblem(await openApp().app.fetch(postOf({ headers: json, body })), "payload_too_large");
    assert.ok(chunks <= 7, `${chunks} chunks`);
  });

  it("is 400 for a body that breaks off, and for one that has not arrived at the deadline", async () => {
    const { app } = openApp({ timeoutMs: 50 });
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("connection reset")) });
    const endless = () => new ReadableStream({ pull: () => new Promise<void>(() => {}) });
    const declared = { ...json, "Content-Length": "10" };
    for (const [body, headers, detail] of [
      [broken, declared, "body ends early"],
      [endless(), declared, "body did not arrive in time"],
      [endless(), json, "body did not arrive in time"],
    ] as const) {
      const reply = await assertProblem(await app.fetch(postOf({ headers, body })), "invalid");
      assert.equal(reply.detail, detail);
    }
  });

  it("is none for a body of just 64 KiB, declared or in chunks", async () => {
    const bytes = new TextEncoder().encode("{}".padEnd(65_536));
    const headers = { ...json, "Content-Length": String(bytes.length) };
    assert.equal((await openApp().app.fetch(postOf({ headers, body: bytes }))).status, 201);
    const body = streamOf(bytes.subarray(0, 1), bytes.subarray(1, 40_000), bytes.subarray(40_000));
    assert.equal((await openApp().app.fetch(postOf({ headers: json, body }))).status, 201);
  });

  it("is 500 for anything a handler throws, and says nothing of it", async () => {
    const { app } = openApp();
    const { detail } = await assertProblem(await app.request("/broken"), "internal");
    assert.equal(detail, "something went wrong here");
  });

  it("carries its own headers", async () => {
    const { app } = openApp();
    app.get("/away", () => {
      throw new Problem("unavailable", "the database is not available", { headers: { "Retry-After": "1" } });
    });
    const reply = await app.request("/away");
    assert.equal(reply.headers.get("Retry-After"), "1");
    await assertProblem(reply, "unavailable");
  });

  it("of a peer passes on unchanged, with its own trace id", async () => {
    const { app } = openApp();
    const body = { type: "/t", title: "T", status: 422, detail: "d", code: "key_reused", traceId: "theirs", more: 1 };
    app.get("/peer", () => {
      throw new PeerProblem("orders", body, { "Retry-After": "7" });
    });
    const reply = await app.request("/peer");
    assert.equal(reply.status, 422);
    assert.equal(reply.headers.get("Retry-After"), "7");
    assert.equal(reply.headers.get("Content-Type"), "application/problem+json");
    assert.deepEqual(await reply.json(), body);
  });
});

describe("security headers", () => {
  it("stand on every kind of answer", async () => {
    const { app } = openApp({ info: { title: "things", description: "" } });
    const replies = [
      await app.request("/things/cup"),
      await app.request("/things/cup", { method: "DELETE" }),
      await app.request("/openapi.json"),
      await app.request("/nowhere"),
      await app.request("/things/cup", { method: "PUT", body: "{}" }),
      await app.request("/things", { method: "POST", headers: json, body: "{" }),
      await app.request("/things", { method: "POST", body: "{}" }),
      await app.request("/things", { method: "POST", headers: json, body: " ".repeat(65_537) }),
      await app.request("/broken"),
    ];
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 204, 200, 404, 405, 400, 415, 413, 500],
    );
    for (const { status, headers } of replies) {
      assert.equal(headers.get("X-Content-Type-Options"), "nosniff", `${status}`);
      assert.equal(headers.get("X-Frame-Options"), "SAMEORIGIN", `${status}`);
      assert.equal(headers.get("Referrer-Policy"), "no-referrer", `${status}`);
      assert.match(headers.get("Strict-Transport-Security") ?? "", /max-age=\d{8}/, `${status}`);
      assert.equal(headers.get("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'", `${status}`);
      assert.equal(headers.get("Cache-Control"), "no-store", `${status}`);
      assert.equal(headers.get("X-Powered-By"), null, `${status}`);
    }
  });

  it("leave a page its own policy and its own caching", async () => {
    const { headers } = await openApp().app.request("/page");
    assert.equal(headers.get("Content-Security-Policy"), "own");
    assert.equal(headers.get("Cache-Control"), "no-cache");
  });
});

describe("secrets", () => {
  const plant = (error: Error) => Object.assign(error, { detail: "planted-detail", parameters: ["planted-parameter"] });
  const planted = {
    "an error's message": new Error("planted-message"),
    "its cause": new Error("x", { cause: new Error("postgres://orders:planted-password@database/orders") }),
    "its members": plant(new Error("x")),
    "its stack": Object.assign(new Error("x"), { stack: "planted-stack" }),
    "its inner errors": new AggregateError([new Error("planted-inner")], "planted-outer"),
    "a problem's cause": new Problem("unavailable", "away", { cause: plant(new Error("planted-cause")) }),
  };
  for (const [what, error] of Object.entries(planted)) {
    it(`in ${what} never reach a reply`, async () => {
      const { app } = openApp();
      app.get("/planted", () => {
        throw error;
      });
      const reply = await app.request("/planted");
      assert.ok(reply.status >= 500);
      const whole = JSON.stringify([...reply.headers]) + (await reply.text());
      assert.doesNotMatch(whole, /planted|app\.test\.ts|node_modules/);
    });
  }

  it("of a request never reach a reply that does not ask for them, nor log, span or metric", async () => {
    const { app, text, metrics, close, spans } = openApp();
    const headers = {
      ...json,
      Authorization: "Bearer planted-token",
      Cookie: "visitor=planted-cookie",
      "Idempotency-Key": "planted-key",
      "X-Request-Id": "planted request id",
      "User-Agent": "planted-agent",
      traceparent: "planted-trace",
      tracestate: "planted=1",
      baggage: "planted=1",
    };
    const replies = [
      await app.request("/things?key=planted-query", { method: "POST", headers, body: '{"a":"planted-body"}' }),
      await app.request("/things?key=planted-query", { method: "POST", headers, body: '{"planted-body' }),
      await app.request("/things?key=planted-query", { method: "PUT", headers, body: "planted-body" }),
      await app.request("/planted-path?key=planted-query", { headers }),
      await app.request("/broken?key=planted-query", { headers }),
    ];
    for (const reply of replies) {
      assert.doesNotMatch(JSON.stringify([...reply.headers]) + (await reply.text()), /planted/);
    }
    await close();
    const traced = JSON.stringify(
      spans.map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    );
    assert.equal(spans.length, replies.length);
    assert.doesNotMatch(text() + traced + (await metrics.expose("application/openmetrics-text")), /planted/);
  });
});
