import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpanStatusCode } from "@opentelemetry/api";
import { backgroundCall, DeadlineExceeded, deadlineSignal } from "./call.ts";
import { aborted, fakeClock, testTelemetry } from "./testing.ts";

describe("deadlineSignal", () => {
  it("aborts at the deadline, by the clock it was given", async () => {
    const clock = fakeClock(Date.now() + 3_000);
    const startMs = performance.now();
    const { signal } = deadlineSignal(clock.now() + 10, undefined, clock.now);
    assert.equal(signal.aborted, false);
    await aborted(signal);
    assert.ok(performance.now() - startMs < 2_000);
    assert.ok(signal.reason instanceof DeadlineExceeded);
  });

  it("aborts with its parent, for the parent's reason", () => {
    const parent = new AbortController();
    const { signal, clear } = deadlineSignal(Date.now() + 60_000, parent.signal);
    parent.abort(new Error("gone"));
    assert.equal(signal.reason.message, "gone");
    clear();
  });

  it("is aborted from the start when its parent is", () => {
    const { signal, clear } = deadlineSignal(Date.now() + 60_000, AbortSignal.abort());
    assert.equal(signal.aborted, true);
    clear();
  });

  it("once cleared never aborts by itself", async () => {
    const cleared = deadlineSignal(Date.now() + 5);
    cleared.clear();
    await aborted(deadlineSignal(Date.now() + 20).signal);
    assert.equal(cleared.signal.aborted, false);
  });
});

describe("backgroundCall", () => {
  it("gives the work a trace, a deadline and a log of its own", async () => {
    const telemetry = testTelemetry();
    const startMs = Date.now();
    const run = () =>
      backgroundCall({ telemetry, name: "settle", timeoutMs: 60_000 }, async (call) => {
        call.log.info("working");
        return call;
      });
    const [call, other] = [await run(), await run()];
    assert.equal(call.trace.headers.traceparent, `00-${call.trace.traceId}-${call.trace.spanId}-01`);
    assert.notEqual(call.trace.traceId, other.trace.traceId);
    assert.ok(call.deadlineMs >= startMs + 60_000 && call.deadlineMs <= Date.now() + 60_000);
    const [line] = telemetry.lines;
    assert.equal(line?.trace_id, call.trace.traceId);
    assert.equal(line?.span_id, call.trace.spanId);
    assert.equal(line?.request_id, call.requestId);
  });

  it("is the root of its trace, under the name it was given", async () => {
    const telemetry = testTelemetry();
    const { trace } = await backgroundCall({ telemetry, name: "settle", timeoutMs: 60_000 }, async (call) => call);
    await telemetry.close();
    const [span] = telemetry.spans;
    assert.equal(telemetry.spans.length, 1);
    assert.equal(span?.name, "settle");
    assert.equal(span.parentSpanContext, undefined);
    assert.equal(span.spanContext().traceId, trace.traceId);
    assert.equal(span.status.code, SpanStatusCode.UNSET);
  });

  it("aborts work that outlives its time, and its span says so", async () => {
    const telemetry = testTelemetry();
    const work = backgroundCall({ telemetry, name: "settle", timeoutMs: 5 }, async ({ signal }) => {
      await aborted(signal);
      signal.throwIfAborted();
    });
    await assert.rejects(work, DeadlineExceeded);
    await telemetry.close();
    const [span] = telemetry.spans;
    assert.equal(span?.status.code, SpanStatusCode.ERROR);
    assert.equal(span.attributes["error.type"], "DeadlineExceeded");
  });
});
