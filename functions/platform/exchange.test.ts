import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import * as v from "valibot";
import { createBoot } from "./boot.ts";
import { createPeer } from "./client.ts";
import { readConfig } from "./config.ts";
import { exchange, exchangeDurations } from "./exchange.ts";
import { otelEntries } from "./otel-config.ts";
import { createTelemetry } from "./telemetry.ts";
import { aborted, captureLog, testCall, testTelemetry } from "./testing.ts";

type Fetch = (request: Request) => Promise<Response>;

const duration = "http_client_request_duration_seconds";
const answers = { 200: v.strictObject({ item1: v.number() }) };
const busy = { type: "/t", title: "T", status: 503, detail: "away", code: "unavailable", traceId: "theirs" };

const stock: Fetch = async () => Response.json({ item1: 100 });
const text =
  (status: number, headers: Record<string, string> = {}): Fetch =>
  async () =>
    new Response("planted", { status, headers: { "Content-Type": "text/plain", ...headers } });
const problem =
  (status: number, headers: Record<string, string> = {}): Fetch =>
  async () =>
    new Response(JSON.stringify({ ...busy, status }), {
      status,
      headers: { "Content-Type": "application/problem+json", ...headers },
    });
const lost: Fetch = () => Promise.reject(new TypeError("planted: connection refused"));
const silent: Fetch = async ({ signal }) => {
  await aborted(signal);
  throw signal.reason;
};
const cutOff: Fetch = async () =>
  new Response(new ReadableStream({ pull: (controller) => controller.error(new Error("planted: reset")) }));

type Asking = { attemptsMax?: number; timeoutMs?: number; baseUrl?: string; path?: string };

/** Asks a peer that answers like this, and then closes the telemetry. */
async function ask(fetch: Fetch, { timeoutMs = 10_000, baseUrl = "http://inventory", ...request }: Asking = {}) {
  const telemetry = testTelemetry({ service: "orders" });
  const call = testCall({ telemetry, timeoutMs });
  const peer = createPeer({ name: "inventory", baseUrl, metrics: telemetry.metrics, fetch });
  await peer.request({ method: "GET", path: "/inventory", answers, ...request }, call).catch(() => {});
  const shown = await telemetry.metrics.expose("text/plain");
  await telemetry.close();
  return { telemetry, call, shown, spans: telemetry.spans };
}

type Told = { status?: number; errorType?: string; span?: string };

const outcomes: [what: string, fetch: Fetch, told: Told][] = [
  ["an answer", stock, { status: 200 }],
  ["a refusal", problem(409), { status: 409, span: "409" }],
  ["a fault of the peer", problem(500), { status: 500, span: "500" }],
  ["an answer outside the contract", text(200), { status: 200, errorType: "bad_gateway" }],
  ["a proxy's 404", text(404), { status: 404, errorType: "bad_gateway" }],
  ["a proxy's 429", text(429), { status: 429, errorType: "too_many_requests" }],
  ["a proxy's 503", text(503), { status: 503, errorType: "unavailable" }],
  ["a proxy's 504", text(504), { status: 504, errorType: "deadline_exceeded" }],
  ["an answer that is cut off", cutOff, { status: 200, errorType: "bad_gateway" }],
  ["a connection that is lost", lost, { errorType: "bad_gateway" }],
  ["silence until the deadline", silent, { errorType: "deadline_exceeded" }],
];

describe("of a request to a peer, the duration and the client's span tell the same:", () => {
  for (const [what, fetch, { status, errorType, span: spanError = errorType }] of outcomes) {
    it(what, async () => {
      const { telemetry, shown, spans, call } = await ask(fetch, { timeoutMs: 550 });
      const labels = [
        'peer="inventory"',
        'method="GET"',
        ...(status === undefined ? [] : [`status_code="${status}"`]),
        ...(errorType === undefined ? [] : [`error_type="${errorType}"`]),
        'service="orders"',
      ];
      assert.equal(await telemetry.value(`${duration}_count`), 1);
      const [line = ""] = shown.split("\n").filter((line) => line.startsWith(`${duration}_count`));
      assert.deepEqual(line.match(/\w+="[^"]*"/g)?.sort(), labels.sort());

      const [span] = spans;
      assert.equal(spans.length, 1);
      assert.equal(span?.kind, SpanKind.CLIENT);
      assert.equal(span.name, "GET");
      assert.equal(span.parentSpanContext?.spanId, call.trace.spanId);
      assert.equal(span.attributes["http.response.status_code"], status);
      assert.equal(span.attributes["error.type"], spanError);
      assert.equal(span.status.code, spanError === undefined ? SpanStatusCode.UNSET : SpanStatusCode.ERROR);
      assert.doesNotMatch(JSON.stringify([span.attributes, span.events, span.status, shown]), /planted/);
    });
  }

  it("a fault of our own on the way, by its class", async () => {
    const telemetry = testTelemetry();
    const call = testCall({ telemetry });
    const durations = exchangeDurations(telemetry.metrics);
    const one = { durations, peer: "inventory", method: "GET", url: new URL("http://inventory/") };
    const work = exchange(one, call, async () => {
      throw new RangeError("planted");
    });
    await assert.rejects(work, RangeError);
    assert.equal(await telemetry.value(`${duration}_count`, { error_type: "RangeError" }), 1);
    await telemetry.close();
    assert.equal(telemetry.spans[0]?.attributes["error.type"], "RangeError");
  });

  it("a method that HTTP does not know, as _OTHER", async () => {
    const telemetry = testTelemetry();
    const durations = exchangeDurations(telemetry.metrics);
    const url = new URL("http://inventory/");
    await exchange({ durations, peer: "inventory", method: "PLANTED", url }, testCall({ telemetry }), async () => {});
    await telemetry.close();
    assert.equal(await telemetry.value(`${duration}_count`, { method: "_OTHER" }), 1);
    assert.equal(telemetry.spans[0]?.attributes["http.request.method"], "_OTHER");
    assert.equal(telemetry.spans[0].name, "HTTP");
  });
});

describe("the duration of a request to a peer", () => {
  it("is in seconds", async () => {
    const delayMs = 50;
    const late: Fetch = async () => {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return Response.json({ item1: 1 });
    };
    const startMs = performance.now();
    const { telemetry } = await ask(late);
    const elapsedS = (performance.now() - startMs) / 1000;
    const sumS = (await telemetry.value(`${duration}_sum`)) ?? 0;
    assert.ok(sumS > (delayMs - 2) / 1000 && sumS < elapsedS, `${sumS} of ${elapsedS} s`); // a timer may be early by 1 ms
  });

  it("has the client's span as its exemplar", async () => {
    const { telemetry, call, spans } = await ask(stock);
    const shown = await telemetry.metrics.expose("application/openmetrics-text");
    const exemplars = [...shown.matchAll(/ # \{(.*?)\}/g)].map(([, labels]) => labels);
    assert.deepEqual(exemplars, [`trace_id="${call.trace.traceId}",span_id="${spans[0]?.spanContext().spanId}"`]);
  });

  it("has no exemplar where no collector is named, for nobody could look it up", async () => {
    const { log } = captureLog();
    const config = readConfig(otelEntries, {});
    const telemetry = createTelemetry({ service: "orders", log, boot: createBoot(), config });
    const { metrics } = telemetry;
    const peer = createPeer({ name: "inventory", baseUrl: "http://inventory", metrics, fetch: stock });
    await peer.request({ method: "GET", path: "/", answers }, testCall({ telemetry }));
    const shown = await metrics.expose("application/openmetrics-text");
    assert.match(shown, new RegExp(`^${duration}_count\\{.*\\} 1$`, "m"));
    assert.doesNotMatch(shown, / # \{/);
  });
});

describe("each attempt", () => {
  it("has a duration and a span of its own, and is what the peer sees as its parent", async () => {
    const parents: (string | null)[] = [];
    const replies = [lost, problem(503, { "Retry-After": "0" }), stock];
    const fetch: Fetch = (request) => {
      parents.push(request.headers.get("traceparent"));
      return (replies[parents.length - 1] as Fetch)(request);
    };
    const { telemetry, call, spans } = await ask(fetch, { attemptsMax: 3 });
    assert.deepEqual(
      spans.map(({ attributes }) => attributes["http.request.resend_count"]),
      [undefined, 1, 2],
    );
    assert.deepEqual(
      spans.map(({ attributes }) => attributes["error.type"]),
      ["bad_gateway", "503", undefined],
    );
    assert.deepEqual(
      spans.map((span) => `00-${call.trace.traceId}-${span.spanContext().spanId}-01`),
      parents,
    );
    for (const span of spans) assert.equal(span.parentSpanContext?.spanId, call.trace.spanId);
    assert.equal(await telemetry.value(`${duration}_count`), 3);
    assert.equal(await telemetry.value(`${duration}_count`, { status_code: "200", error_type: "" }), 1);
    assert.equal(await telemetry.value(`${duration}_count`, { status_code: "503", error_type: "" }), 1);
    assert.equal(await telemetry.value(`${duration}_count`, { status_code: "", error_type: "bad_gateway" }), 1);
  });

  it("that never was is not told: a second one that would come after the deadline", async () => {
    const { telemetry, spans } = await ask(problem(503, { "Retry-After": "60" }), { attemptsMax: 3 });
    assert.equal(await telemetry.value(`${duration}_count`), 1);
    assert.equal(spans.length, 1);
  });
});

describe("the span of a request to a peer", () => {
  it("names peer, host, port and URL, of which neither query nor user nor fragment", async () => {
    const cases = [
      ["http://inventory.shop:3002", "inventory.shop", 3002, "http://inventory.shop:3002/inventory/item1"],
      ["http://inventory", "inventory", 80, "http://inventory/inventory/item1"],
      ["https://inventory", "inventory", 443, "https://inventory/inventory/item1"],
      ["http://planted:planted@inventory/base", "inventory", 80, "http://inventory/base/inventory/item1"],
    ] as const;
    for (const [baseUrl, host, port, url] of cases) {
      const { spans, shown } = await ask(stock, { baseUrl, path: "/inventory/item1?key=planted#planted" });
      assert.deepEqual(spans[0]?.attributes, {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.service.name": "inventory",
        "server.address": host,
        "server.port": port,
        "url.full": url,
      });
      assert.doesNotMatch(shown, /planted|item1/);
    }
  });

  it("ends with the end of the answer, and the duration with it", async () => {
    const telemetry = testTelemetry();
    const body = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const fetch: Fetch = async () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            begun.resolve();
            await body.promise;
            controller.enqueue(new TextEncoder().encode('{"item1":1}'));
            controller.close();
          },
        }),
      );
    const peer = createPeer({ name: "inventory", baseUrl: "http://inventory", metrics: telemetry.metrics, fetch });
    const answer = peer.request({ method: "GET", path: "/", answers }, testCall({ telemetry }));
    await begun.promise;
    assert.equal(await telemetry.value(`${duration}_count`), undefined);
    body.resolve();
    assert.deepEqual((await answer).body, { item1: 1 });
    assert.equal(await telemetry.value(`${duration}_count`), 1);
  });

  it("is sent on as not kept when the call's is not kept", async () => {
    const telemetry = testTelemetry({ env: { OTEL_TRACES_SAMPLER: "always_off" } });
    const sent: (string | null)[] = [];
    const fetch: Fetch = async ({ headers }) => {
      sent.push(headers.get("traceparent"));
      return Response.json({ item1: 1 });
    };
    const peer = createPeer({ name: "inventory", baseUrl: "http://inventory", metrics: telemetry.metrics, fetch });
    const call = testCall({ telemetry });
    await peer.request({ method: "GET", path: "/", answers }, call);
    assert.match(sent[0] ?? "", new RegExp(`^00-${call.trace.traceId}-[0-9a-f]{16}-00$`));
    await telemetry.close();
    assert.deepEqual(telemetry.spans, []);
    assert.equal(await telemetry.value(`${duration}_count`), 1);
  });
});
