import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createApp } from "./app.ts";
import { DeadlineExceeded } from "./call.ts";
import { aborted, isSampled, testTelemetry, warm } from "./testing.ts";
import type { Trace } from "./trace.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerSpanId = "b7ad6b7169203331";
const from = (flags: string, more: Record<string, string> = {}) => ({
  traceparent: `00-${traceId}-${callerSpanId}-${flags}`,
  ...more,
});

type Options = Pick<Parameters<typeof createApp>[0], "position" | "timeoutMs"> & {
  env?: Record<string, string>;
};

function openApp({ env = {}, ...options }: Options = {}) {
  const telemetry = warm(testTelemetry({ env }));
  const app = createApp({ telemetry, ...options });
  app.get("/trace", (c) => c.json(c.var.call.trace));
  app.get("/lines", async ({ var: { call } }) => {
    call.log.info("first");
    await call.trace.child({ name: "step" }, async () => call.log.warn("second"));
    return new Response();
  });
  return { app, telemetry };
}

/** What a handler's call says of its trace when a request comes with these headers, and the spans kept of it. */
async function receive(headers: Record<string, string>, options: Options = {}) {
  const { app, telemetry } = openApp(options);
  const trace = (await (await app.request("/trace", { headers })).json()) as Trace;
  await telemetry.close();
  return { trace, spans: telemetry.spans };
}

const never = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };
const always = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "1" };

describe("inside, a request's span", () => {
  it("is a child of its caller's, kept when that is, whatever our own ratio", async () => {
    const kept = await receive(from("01"), { env: never });
    assert.equal(kept.spans.length, 1);
    assert.equal(kept.spans[0]?.spanContext().traceId, traceId);
    assert.equal(kept.spans[0].spanContext().spanId, kept.trace.spanId);
    assert.equal(kept.spans[0].parentSpanContext?.spanId, callerSpanId);
    assert.equal(kept.trace.headers.traceparent, `00-${traceId}-${kept.trace.spanId}-01`);

    const left = await receive(from("00"), { env: always });
    assert.equal(left.spans.length, 0);
    assert.equal(left.trace.headers.traceparent, `00-${traceId}-${left.trace.spanId}-00`);
  });

  it("passes tracestate on as it came", async () => {
    const { trace } = await receive(from("01", { tracestate: "a=1,b=2" }));
    assert.equal(trace.headers.tracestate, "a=1,b=2");
  });

  it("is a root when nobody says otherwise", async () => {
    const { trace, spans } = await receive({ tracestate: "a=1" });
    assert.equal(spans[0]?.parentSpanContext, undefined);
    assert.equal(trace.headers.tracestate, undefined);
  });
});

describe("at the edge, a request's span", () => {
  it("keeps the caller's trace id, and is a child of its span", async () => {
    const { trace, spans } = await receive(from("01"), { position: "edge" });
    assert.equal(trace.traceId, traceId);
    assert.equal(spans[0]?.parentSpanContext?.spanId, callerSpanId);
  });

  it("is kept or not by our own ratio, whatever the caller's flag", async () => {
    for (const outermost of [false, true]) {
      for (const flags of ["00", "01", "02", "03", "ff"]) {
        const left = await receive(from(flags), { position: outermost ? "outermost" : "edge", env: never });
        assert.equal(left.spans.length, 0, flags);
        assert.equal(isSampled(left.trace), false);
        assert.match(left.trace.headers.traceparent ?? "", /-0[02]$/);

        const kept = await receive(from(flags), { position: outermost ? "outermost" : "edge", env: always });
        assert.equal(kept.spans.length, 1, flags);
        assert.equal(isSampled(kept.trace), true);
        assert.match(kept.trace.headers.traceparent ?? "", /-0[13]$/);
      }
    }
  });

  it("passes no foreign tracestate on", async () => {
    for (const outermost of [false, true]) {
      const { trace } = await receive(from("01", { tracestate: "planted=1" }), {
        position: outermost ? "outermost" : "edge",
      });
      assert.deepEqual(Object.keys(trace.headers), ["traceparent"]);
    }
  });

  it("has no parent where nobody of ours calls, in the trace that the caller named", async () => {
    const { trace, spans } = await receive(from("01"), { position: "outermost" });
    assert.equal(trace.traceId, traceId);
    assert.equal(spans[0]?.spanContext().traceId, traceId);
    assert.equal(spans[0].parentSpanContext, undefined);
  });
});

describe("every line of a request", () => {
  it("names its trace, its span and the request", async () => {
    const { app, telemetry } = openApp();
    await app.request("/lines", { headers: from("01", { "X-Request-Id": "abc" }) });
    await telemetry.close();
    const server = telemetry.spans.find(({ name }) => name === "GET /lines");
    assert.deepEqual(
      telemetry.lines.map(({ msg }) => msg),
      ["first", "second", "request"],
    );
    for (const line of telemetry.lines) {
      assert.equal(line.trace_id, traceId);
      assert.equal(line.span_id, server?.spanContext().spanId);
      assert.equal(line.request_id, "abc");
    }
  });
});

describe("requests at once", () => {
  it("never share a span, a trace or a log", async () => {
    const { app, telemetry } = openApp({ position: "outermost" });
    const ids = Array.from({ length: 50 }, (_, index) => `${index}`.padStart(32, "a"));
    const traces = await Promise.all(
      ids.map(async (id) => {
        const headers = { traceparent: `00-${id}-${callerSpanId}-01`, "X-Request-Id": id };
        const [own, other] = await Promise.all([app.request("/trace", { headers }), app.request("/trace")]);
        return { own: (await own.json()) as Trace, other: (await other.json()) as Trace };
      }),
    );
    assert.deepEqual(
      traces.map(({ own }) => own.traceId),
      ids,
    );
    const all = traces.flatMap(({ own, other }) => [own, other]);
    assert.equal(new Set(all.map((trace) => trace.traceId)).size, 100);
    assert.equal(new Set(all.map((trace) => trace.spanId)).size, 100);
    for (const { request_id, trace_id } of telemetry.lines) {
      if (ids.includes(String(request_id))) assert.equal(trace_id, request_id);
      else assert.ok(!ids.includes(String(trace_id)));
    }
  });
});

describe("the signal of a call", () => {
  it("aborts at the deadline, also while it is traced, and never once the reply is made", async () => {
    const { app } = openApp({ timeoutMs: 30 });
    const signals: AbortSignal[] = [];
    app.get("/late", async ({ var: { call } }) => {
      await call.trace.child({ name: "step" }, () => aborted(call.signal));
      return new Response(call.signal.reason instanceof DeadlineExceeded ? "deadline" : "other");
    });
    app.get("/early", ({ var: { call } }) => {
      signals.push(call.signal);
      return new Response();
    });
    await app.request("/early");
    assert.equal(await (await app.request("/late")).text(), "deadline");
    assert.equal(signals[0]?.aborted, false);
  });
});
