import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener } from "node:http";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { createApp } from "./app.ts";
import { createForwarder } from "./forward.ts";
import { assertProblem, freePort, listen, testTelemetry, warm } from "./testing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
const problemType = { "Content-Type": "application/problem+json" };

type Options = { timeoutMs?: number; telemetry?: ReturnType<typeof testTelemetry> };

function openApp(baseUrl: string, { telemetry = warm(testTelemetry()), ...options }: Options = {}) {
  const forward = createForwarder({ name: "gateway", baseUrl, metrics: telemetry.metrics });
  const app = createApp({ telemetry, position: "edge", ...options });
  app.all("/api/*", (c) => forward(c.req.raw, c.var.call));
  return app;
}

/** An app before a peer that answers like this. */
async function openPair(answer: RequestListener, options?: Options) {
  const peer = await listen(answer);
  return { app: openApp(peer.url, options), [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() };
}

describe("a request that is sent on", () => {
  it("arrives with its method, path, query, cookies, media type and body, in the same trace below a span of ours", async () => {
    const telemetry = warm(testTelemetry());
    const arrived = Promise.withResolvers<{ request: IncomingMessage; body: string }>();
    await using pair = await openPair(
      async (request, reply) => {
        arrived.resolve({ request, body: await text(request) });
        reply.end();
      },
      { telemetry },
    );
    await pair.app.request("/api/orders?limit=5&cursor=a%2Fb", {
      method: "POST",
      headers: { Cookie: "visitor=abc; b=c", "Content-Type": "application/json", traceparent, "X-Request-Id": "abc" },
      body: '{"item":"item1"}',
    });
    const { request, body } = await arrived.promise;
    assert.equal(`${request.method} ${request.url}`, "POST /api/orders?limit=5&cursor=a%2Fb");
    assert.equal(request.headers.cookie, "visitor=abc; b=c");
    assert.equal(request.headers["content-type"], "application/json");
    await telemetry.close();
    const [sending, receiving] = telemetry.spans;
    assert.equal(request.headers.traceparent, `00-${traceId}-${sending?.spanContext().spanId}-01`);
    assert.equal(sending?.parentSpanContext?.spanId, receiving?.spanContext().spanId);
    assert.equal(request.headers["x-request-id"], "abc");
    assert.equal(body, '{"item":"item1"}');
  });

  it("goes to the host of the peer, whatever host it came to", async () => {
    const arrived = Promise.withResolvers<string | undefined>();
    await using peer = await listen((request, reply) => {
      arrived.resolve(request.headers.host);
      reply.end();
    });
    await openApp(peer.url).request("/api/users", { headers: { Host: "shop.example" } });
    assert.equal(await arrived.promise, new URL(peer.url).host);
  });

  it("carries the trace and the request id that it got here, when it came with none", async () => {
    const telemetry = warm(testTelemetry());
    const arrived = Promise.withResolvers<IncomingMessage>();
    await using pair = await openPair(
      (request, reply) => {
        arrived.resolve(request);
        reply.end();
      },
      { telemetry },
    );
    await pair.app.request("/api/users");
    const { headers } = await arrived.promise;
    assert.equal(headers["x-request-id"], telemetry.lines[0]?.request_id);
    assert.match(`${headers.traceparent}`, new RegExp(`^00-${telemetry.lines[0]?.trace_id}-[0-9a-f]{16}-01$`));
  });
});

describe("a trace that is sent on", () => {
  it("is ours: nothing that its caller put into tracestate or baggage", async () => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    await using pair = await openPair((request, reply) => {
      arrived.resolve(request);
      reply.end();
    });
    await pair.app.request("/api/users", { headers: { traceparent, tracestate: "planted=1", baggage: "planted=1" } });
    const { headers } = await arrived.promise;
    assert.equal(headers.tracestate, undefined);
    assert.equal(headers.baggage, undefined);
    assert.doesNotMatch(JSON.stringify(headers), /planted/);
  });
});

describe("a request that is sent on is told as one to a peer", () => {
  const duration = "http_client_request_duration_seconds_count";
  const outcomes = [
    ["an answer", 200, {}, { status_code: "200", error_type: "" }, undefined],
    ["a problem of the peer", 409, problemType, { status_code: "409", error_type: "" }, "409"],
    ["a fault of the peer", 500, problemType, { status_code: "500", error_type: "" }, "500"],
    ["a proxy's 503", 503, {}, { status_code: "503", error_type: "unavailable" }, "unavailable"],
  ] as const;
  for (const [what, status, headers, labels, errorType] of outcomes) {
    it(`with ${what}`, async () => {
      const telemetry = warm(testTelemetry());
      await using pair = await openPair((_, reply) => void reply.writeHead(status, headers).end(), { telemetry });
      await pair.app.request("/api/orders?key=planted", { method: "POST", body: "{}" });
      assert.equal(await telemetry.value(duration), 1);
      assert.equal(await telemetry.value(duration, { peer: "gateway", method: "POST", ...labels }), 1);
      await telemetry.close();
      const [span, ...more] = telemetry.spans.filter(({ kind }) => kind === SpanKind.CLIENT);
      assert.equal(more.length, 0);
      assert.equal(span?.attributes["http.response.status_code"], status);
      assert.equal(span.attributes["error.type"], errorType);
      assert.match(String(span.attributes["url.full"]), /^http:\/\/127\.0\.0\.1:\d+\/$/);
    });
  }

  it("with silence", async () => {
    const telemetry = warm(testTelemetry());
    await openApp(`http://127.0.0.1:${await freePort()}`, { telemetry }).request("/api/orders");
    assert.equal(await telemetry.value(duration, { status_code: "", error_type: "bad_gateway" }), 1);
  });

  it("at the head of its answer, however long that is", async () => {
    const telemetry = warm(testTelemetry());
    const read = Promise.withResolvers<void>();
    await using pair = await openPair(
      async (_, reply) => {
        reply.write("first");
        await read.promise;
        reply.end("last");
      },
      { telemetry },
    );
    const reply = await pair.app.request("/api/stream");
    assert.equal(await telemetry.value(duration, { status_code: "200" }), 1);
    read.resolve();
    assert.equal(await reply.text(), "firstlast");
  });

  it("never by a method that its caller made up", async () => {
    const telemetry = warm(testTelemetry());
    await using pair = await openPair((_, reply) => void reply.end(), { telemetry });
    // Bun's Request knows no method of one's own: only its server hands one on.
    const request = Object.defineProperty(new Request("http://shop/api/orders"), "method", { value: "PLANTED" });
    await pair.app.fetch(request);
    assert.equal(await telemetry.value(duration, { method: "_OTHER" }), 1);
    await telemetry.close();
    assert.doesNotMatch(JSON.stringify(telemetry.spans.map(({ name, attributes }) => [name, attributes])), /PLANTED/);
  });
});

describe("an answer that is passed back", () => {
  it("keeps its status, body and headers, all cookies among them", async () => {
    await using pair = await openPair((_, reply) => {
      reply.writeHead(201, [
        ["Set-Cookie", "a=1; HttpOnly"],
        ["Set-Cookie", "b=2"],
        ["Location", "orders/ORDER-1"],
        ["Content-Type", "application/json"],
      ] as unknown as string[]);
      reply.end('{"ok":true}');
    });
    const reply = await pair.app.request("/api/orders", { method: "POST", body: "{}" });
    assert.equal(reply.status, 201);
    assert.deepEqual(reply.headers.getSetCookie(), ["a=1; HttpOnly", "b=2"]);
    assert.equal(reply.headers.get("Location"), "orders/ORDER-1");
    assert.equal(reply.headers.get("Content-Type"), "application/json");
    assert.equal(await reply.text(), '{"ok":true}');
  });

  it("has whatever status it had", async () => {
    await using pair = await openPair(
      ({ url = "" }, reply) => void reply.writeHead(Number(url.slice(5)), problemType).end(),
    );
    for (const status of [200, 202, 204, 304, 400, 401, 404, 409, 422, 429, 500, 502, 503, 504]) {
      assert.equal((await pair.app.request(`/api/${status}`)).status, status);
    }
  });

  it("may send the browser elsewhere, and is not followed", async () => {
    await using pair = await openPair(({ url }, reply) => {
      assert.equal(url, "/api/moved");
      reply.writeHead(302, { Location: "/elsewhere" }).end();
    });
    const reply = await pair.app.request("/api/moved");
    assert.equal(reply.status, 302);
    assert.equal(reply.headers.get("Location"), "/elsewhere");
  });

  it("streams: what the peer has sent is there before it has ended", async () => {
    const read = Promise.withResolvers<void>();
    await using pair = await openPair(async (_, reply) => {
      reply.write("first");
      await read.promise;
      reply.end("last");
    });
    const reader = (await pair.app.request("/api/stream")).body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader?.read())?.value, "first");
    read.resolve();
    assert.equal((await reader?.read())?.value, "last");
    assert.equal((await reader?.read())?.done, true);
  });

  it("is not cut off at the deadline once it has begun", async () => {
    await using pair = await openPair(
      (_, reply) => {
        reply.write("first");
        setTimeout(() => reply.end("last"), 150);
      },
      { timeoutMs: 600 },
    );
    assert.equal(await (await pair.app.request("/api/stream")).text(), "firstlast");
  });
});

describe("what only a proxy can have answered", () => {
  const cases = [
    [404, "not_found at some route", "bad_gateway"],
    [429, "slow down", "too_many_requests"],
    [500, "planted", "bad_gateway"],
    [502, "planted", "bad_gateway"],
    [503, "pending request queue full", "unavailable"],
    [504, "upstream request timeout", "deadline_exceeded"],
  ] as const;
  for (const [status, body, code] of cases) {
    it(`becomes a problem: ${status} as text is ${code}`, async () => {
      await using pair = await openPair(
        (_, reply) => void reply.writeHead(status, { "Content-Type": "text/plain" }).end(body),
      );
      const reply = await pair.app.request("/api/orders");
      if (status === 503 || status === 429) assert.equal(reply.headers.get("Retry-After"), "1");
      const { detail } = await assertProblem(reply, code);
      assert.doesNotMatch(detail, /planted/);
    });
  }
});

describe("a peer that does not answer", () => {
  it("is bad_gateway when it cannot be reached", async () => {
    const app = openApp(`http://127.0.0.1:${await freePort()}`);
    await assertProblem(await app.request("/api/orders"), "bad_gateway");
  });

  it("is deadline_exceeded by the deadline, and sees the request end", async () => {
    const ended = Promise.withResolvers<void>();
    await using pair = await openPair((_, reply) => void reply.on("close", ended.resolve), { timeoutMs: 700 });
    const startMs = performance.now();
    await assertProblem(await pair.app.request("/api/orders"), "deadline_exceeded");
    assert.ok(performance.now() - startMs < 700);
    await ended.promise;
  });

  it("sees the request end when the caller goes away, before an answer and within one", async () => {
    for (const part of ["", "first"]) {
      const asked = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      await using pair = await openPair((_, reply) => {
        reply.on("close", ended.resolve);
        if (part) reply.write(part);
        asked.resolve();
      });
      const caller = new AbortController();
      const replied = pair.app.request("/api/orders", { signal: caller.signal });
      await asked.promise;
      if (part) await replied;
      caller.abort();
      await ended.promise;
      assert.equal((await replied).status, part ? 200 : 499);
    }
  });
});
