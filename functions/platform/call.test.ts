import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backgroundCall, DeadlineExceeded, deadlineSignal, mintTrace, readTrace } from "./call.ts";
import { aborted, captureLog, fakeClock } from "./testing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

describe("readTrace", () => {
  it("keeps a valid traceparent", () => {
    const traceparent = `00-${traceId}-${spanId}-01`;
    assert.deepEqual(readTrace(traceparent), { traceId, traceparent });
  });

  it("mints a trace in place of an absent or malformed one", () => {
    const malformed = [
      undefined,
      "",
      traceId,
      `00-${traceId}-${spanId}`,
      `01-${traceId}-${spanId}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId}-${spanId}-01-more`,
      `00-${traceId}-${spanId}-01\n`,
    ];
    for (const traceparent of malformed) {
      const trace = readTrace(traceparent);
      assert.notEqual(trace.traceId, traceId, `${traceparent}`);
      assert.notEqual(trace.traceparent, traceparent);
      assert.match(trace.traceparent, new RegExp(`^00-${trace.traceId}-[0-9a-f]{16}-01$`));
    }
  });
});

describe("mintTrace", () => {
  it("gives a valid trace, another each time", () => {
    const traces = Array.from({ length: 100 }, mintTrace);
    for (const trace of traces) assert.deepEqual(readTrace(trace.traceparent), trace);
    assert.equal(new Set(traces.map((trace) => trace.traceId)).size, 100);
  });
});

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
    const { log, lines } = captureLog();
    const startMs = Date.now();
    const call = await backgroundCall({ log, timeoutMs: 60_000 }, async (call) => {
      call.log.info("working");
      return call;
    });
    assert.equal(readTrace(call.traceparent).traceId, call.traceId);
    assert.ok(call.deadlineMs >= startMs + 60_000 && call.deadlineMs <= Date.now() + 60_000);
    assert.equal(lines[0]?.trace_id, call.traceId);
    assert.equal(lines[0]?.request_id, call.requestId);
  });

  it("aborts work that outlives its time", async () => {
    const { log } = captureLog();
    const work = backgroundCall({ log, timeoutMs: 5 }, async ({ signal }) => {
      await aborted(signal);
      signal.throwIfAborted();
    });
    await assert.rejects(work, DeadlineExceeded);
  });
});
