import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { readConfig } from "./config.ts";
import type { Exporter, Outcome } from "./delivery.ts";
import { otelEntries } from "./otel-config.ts";
import { eventually, isSampled, spanSink } from "./testing.ts";
import type { Trace } from "./trace.ts";
import { createTracing, type Position } from "./tracing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

type Env = Record<string, string>;
type Received = { position?: Position };

/** Tracing as a function has it, and the spans it has exported. */
function open(env: Env = {}, exporter?: Exporter) {
  const sink = spanSink();
  const { spans } = sink;
  const account: Partial<Record<Outcome, number>> = {};
  const config = readConfig(otelEntries, { OTEL_BSP_SCHEDULE_DELAY: "1", ...env });
  const count = (outcome: Outcome, number: number) => {
    account[outcome] = (account[outcome] ?? 0) + number;
  };
  const tracing = createTracing({ service: "orders", config, count, exporter: exporter ?? sink.exporter });
  return {
    tracing,
    spans,
    account,
    receive(headers: Record<string, string> = {}, { position = "inside" }: Received = {}): Trace {
      return tracing.receive({ headers: new Headers(headers), position });
    },
    /** The one span there is, once it is exported. */
    async exported(trace: Trace): Promise<ReadableSpan> {
      trace.end();
      return eventually("the span is exported", () => spans.find((span) => span.spanContext().spanId === trace.spanId));
    },
  };
}

const sampled = { traceparent: `00-${traceId}-${spanId}-01` };
const unsampled = { traceparent: `00-${traceId}-${spanId}-00` };
const flagOf = (trace: Trace) => trace.headers.traceparent?.slice(-2);

describe("a span received", () => {
  it("without a caller is the root of a new trace", async () => {
    const { receive, exported } = open();
    const trace = receive();
    assert.match(trace.traceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.equal((await exported(trace)).parentSpanContext, undefined);
    assert.equal(trace.headers.traceparent, `00-${trace.traceId}-${trace.spanId}-01`);
    assert.notEqual(receive().traceId, trace.traceId);
  });

  it("has its caller as parent, and passes tracestate and the random flag on", async () => {
    const { receive, exported } = open();
    const trace = receive({ traceparent: `00-${traceId}-${spanId}-03`, tracestate: "a=1,b=2" });
    assert.deepEqual(trace.headers, { traceparent: `00-${traceId}-${trace.spanId}-03`, tracestate: "a=1,b=2" });
    assert.notEqual(trace.spanId, spanId);
    const span = await exported(trace);
    assert.equal(span.parentSpanContext?.spanId, spanId);
    assert.equal(span.spanContext().traceId, traceId);
  });

  it("at the edge has its caller as parent, and nothing of its tracestate", async () => {
    const { receive, exported } = open();
    const trace = receive({ ...unsampled, tracestate: "a=1" }, { position: "edge" });
    assert.deepEqual(trace.headers, { traceparent: `00-${traceId}-${trace.spanId}-01` });
    assert.equal((await exported(trace)).parentSpanContext?.spanId, spanId);
  });

  it("of the outermost function is a root in its caller's trace", async () => {
    const { receive, exported, tracing } = open();
    const trace = receive({ ...unsampled, tracestate: "a=1" }, { position: "outermost" });
    assert.deepEqual(trace.headers, { traceparent: `00-${traceId}-${trace.spanId}-01` });
    const span = await exported(trace);
    assert.equal(span.parentSpanContext, undefined);
    assert.equal(span.spanContext().traceId, traceId);
    assert.notEqual(tracing.begin("next").traceId, traceId);
  });

  it("never gets another request's trace id, however many run at once", async () => {
    const { tracing, receive } = open();
    const idOf = (n: number) => n.toString(16).padStart(32, "0");
    const requests = Array.from({ length: 1_000 }, async (_, i) => {
      const headers = { traceparent: `00-${idOf(i + 1)}-${spanId}-01` };
      const outermost = i % 2 === 0;
      await Promise.resolve();
      const trace = receive(headers, { position: outermost ? "outermost" : "edge" });
      const fresh = [
        receive({}, { position: outermost ? "outermost" : "edge" }).traceId,
        tracing.begin("work").traceId,
      ];
      const children = [0, 1].map(() =>
        trace.child({ name: "child" }, async (child) => {
          await new Promise(setImmediate);
          return child.traceId;
        }),
      );
      assert.deepEqual([trace.traceId, ...(await Promise.all(children))], Array(3).fill(idOf(i + 1)));
      return fresh;
    });
    const fresh = (await Promise.all(requests)).flat();
    assert.equal(new Set(fresh).size, 2_000);
    const given = new Set(Array.from({ length: 1_000 }, (_, i) => idOf(i + 1)));
    assert.deepEqual(
      fresh.filter((id) => given.has(id)),
      [],
    );
  });
});

describe("sampling", () => {
  /** Whether a span is sampled: without a caller, of a sampled caller, of one that is not. */
  const decisions: Record<string, [string, boolean, boolean, boolean]> = {
    always_on: ["1", true, true, true],
    always_off: ["1", false, false, false],
    traceidratio: ["0", false, false, false],
    parentbased_always_on: ["1", true, true, false],
    parentbased_always_off: ["1", false, true, false],
    parentbased_traceidratio: ["0", false, true, false],
  };
  for (const [name, [ratio, ...expected]] of Object.entries(decisions)) {
    it(`${name} (${ratio}) decides as its name says, tells peers so, and sends what it kept`, async () => {
      const { receive, account, spans, tracing } = open({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio });
      const traces = [receive(), receive(sampled), receive(unsampled)];
      assert.deepEqual(
        traces.map((trace) => isSampled(trace)),
        expected,
      );
      assert.deepEqual(
        traces.map(flagOf),
        expected.map((kept) => (kept ? "01" : "00")),
      );
      for (const trace of traces) trace.end();
      await tracing.close(10_000);
      const kept = expected.filter(Boolean).length;
      assert.equal(spans.length, kept);
      assert.deepEqual(account, kept > 0 ? { exported: kept } : {});
    });
  }

  it("by ratio keeps what OpenTelemetry's SDK for Go keeps: by the last 64 bits of the trace's id", () => {
    const { receive } = open({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" });
    const bound = 0x1999999999999a00n; // two times 0.1 × 2^63, as a double has it
    for (const first of ["0".repeat(15).concat("1"), "f".repeat(16)]) {
      for (const [last, expected] of [
        [0n, true],
        [bound - 1n, true],
        [bound, false],
        [2n ** 64n - 1n, false],
      ] as const) {
        const id = first + last.toString(16).padStart(16, "0");
        assert.equal(isSampled(receive({ traceparent: `00-${id}-${spanId}-01` })), expected, id);
      }
    }
  });

  it("by ratio keeps what the ratio says, and all of it at 1", () => {
    for (const name of ["traceidratio", "parentbased_traceidratio"]) {
      const { receive } = open({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: "1" });
      for (let i = 0; i < 100; i++) assert.ok(isSampled(receive()));
    }
  });

  for (const outermost of [false, true]) {
    it(`at the edge is by the trace id, whatever the caller's flag says (${outermost ? "outermost" : "within"})`, () => {
      const ratio = 0.1;
      const count = 10_000;
      const { receive } = open({
        OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG: `${ratio}`,
      });
      let kept = 0;
      for (let i = 0; i < count; i++) {
        const id = randomBytes(16).toString("hex"); // not a UUID, whose bits are not all random
        const position = outermost ? "outermost" : "edge";
        const flagged = (flag: string) => receive({ traceparent: `00-${id}-${spanId}-${flag}` }, { position });
        const [one, other] = [flagged("01"), flagged("00")];
        assert.equal(one.traceId, id);
        assert.equal(isSampled(one), isSampled(other), id);
        if (isSampled(one)) kept += 1;
      }
      const deviation = Math.sqrt(count * ratio * (1 - ratio));
      assert.ok(Math.abs(kept - count * ratio) < 5 * deviation, `${kept} of ${count}`);
    });
  }

  it("at the edge is the same in every function of the chain, so that no trace has holes", () => {
    const { receive } = open({ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" });
    for (let i = 0; i < 1_000; i++) {
      const outer = receive({}, { position: "outermost" });
      const edge = receive(outer.headers, { position: "edge" });
      const inner = receive(edge.headers);
      assert.deepEqual([isSampled(edge), isSampled(inner)], [isSampled(outer), isSampled(outer)]);
    }
  });

  it("is off where OTEL_SDK_DISABLED says so, with trace ids all the same", async () => {
    const { receive, tracing, account, spans } = open({ OTEL_SDK_DISABLED: "true", OTEL_TRACES_SAMPLER: "always_on" });
    const traces = [receive(), receive(sampled), receive(sampled, { position: "edge" }), tracing.begin("work")];
    for (const trace of traces) {
      assert.match(trace.headers.traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      trace.end();
    }
    assert.deepEqual([traces[1]?.traceId, traces[2]?.traceId], [traceId, traceId]);
    await tracing.close(10_000);
    assert.deepEqual([spans, account], [[], {}]);
  });
});

describe("the resource", () => {
  const resourceOf = async (env: Env = {}) => {
    const { receive, exported } = open(env);
    return (await exported(receive())).resource.attributes;
  };

  it("says which function, which process of it, which revision, by which SDK", async () => {
    const one = await resourceOf({ K_REVISION: "orders-00001" });
    assert.equal(one["service.name"], "orders");
    assert.equal(one["faas.name"], "orders");
    assert.equal(one["faas.version"], "orders-00001");
    assert.match(`${one["service.instance.id"]}`, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    assert.equal(one["faas.instance"], one["service.instance.id"]);
    assert.equal(one["telemetry.sdk.language"], "nodejs");
    const other = await resourceOf();
    assert.notEqual(other["service.instance.id"], one["service.instance.id"]);
    assert.equal(other["faas.version"], undefined);
  });

  it("takes what the environment adds, and its names above ours: OTEL_SERVICE_NAME first", async () => {
    const attributes = "service.namespace=shop,service.name=other,service.instance.id=pod-1";
    const one = await resourceOf({ OTEL_RESOURCE_ATTRIBUTES: attributes });
    assert.equal(one["service.namespace"], "shop");
    assert.equal(one["service.instance.id"], "pod-1");
    assert.equal(one["service.name"], "other");
    const both = await resourceOf({ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: "orders-canary" });
    assert.equal(both["service.name"], "orders-canary");
    assert.equal((await resourceOf({ OTEL_SERVICE_NAME: "orders-canary" }))["service.name"], "orders-canary");
  });
});

describe("a child span", () => {
  it("ends with its work, is a child of what it was made of, and is what a peer has as parent", async () => {
    const { receive, tracing, spans } = open();
    const trace = receive();
    const headers = await trace.child({ name: "GET", kind: "client", attributes: { "server.port": 80 } }, (child) =>
      child.child({ name: "inner" }, async (inner) => [child.headers.traceparent, inner.headers.traceparent]),
    );
    trace.end("GET /orders");
    await tracing.close(10_000);
    const [inner, child, root] = spans;
    assert.deepEqual(
      spans.map(({ name }) => name),
      ["inner", "GET", "GET /orders"],
    );
    assert.equal(inner?.parentSpanContext?.spanId, child?.spanContext().spanId);
    assert.equal(child?.parentSpanContext?.spanId, root?.spanContext().spanId);
    assert.deepEqual(
      headers,
      [child, inner].map((span) => `00-${trace.traceId}-${span?.spanContext().spanId}-01`),
    );
    assert.deepEqual(child?.attributes, { "server.port": 80 });
    assert.deepEqual(
      spans.map(({ kind }) => kind),
      [0, 2, 1],
    );
  });

  it("is marked by what its work throws, with a word that holds no data", async () => {
    const { receive, tracing, spans } = open();
    const error = new TypeError("planted");
    await assert.rejects(
      receive().child({ name: "failing" }, () => Promise.reject(error)),
      error,
    );
    await tracing.close(10_000);
    assert.deepEqual(spans[0]?.attributes, { "error.type": "TypeError" });
    assert.deepEqual(spans[0]?.status, { code: 2 });
    assert.deepEqual(spans[0]?.events, []);
  });

  it("of the past has the times it is given", async () => {
    const { receive, tracing, spans } = open();
    const trace = receive();
    trace.past("boot config", 1_700_000_000_000.5, 1_700_000_000_002);
    await tracing.close(10_000);
    const [past] = spans;
    assert.equal(past?.name, "boot config");
    assert.deepEqual(past?.startTime, [1_700_000_000, 500_000]);
    assert.deepEqual(past?.duration, [0, 1_500_000]);
    assert.equal(past?.parentSpanContext?.spanId, trace.spanId);
  });
});

describe("the spans of one millisecond", () => {
  it("keep their order", async () => {
    const { receive, tracing, spans } = open();
    const trace = receive();
    const names = Array.from({ length: 20 }, (_, i) => `${i}`);
    for (const name of names) await trace.child({ name }, async () => {});
    await tracing.close(10_000);
    const starts = spans.map(({ startTime: [s, ns] }) => BigInt(s) * 1_000_000_000n + BigInt(ns));
    const inOrder = starts.every((ns, i) => i === 0 || ns > (starts[i - 1] as bigint));
    assert.ok(inOrder, `${starts}`);
    assert.ok(new Set(starts.map((ns) => ns / 1_000_000n)).size < names.length, "some share a millisecond");
  });
});

describe("an attribute", () => {
  it("has at most 1024 characters", async () => {
    const { receive, exported } = open();
    const trace = receive();
    trace.set({ "db.query.text": "x".repeat(5_000) });
    assert.equal(`${(await exported(trace)).attributes["db.query.text"]}`.length, 1_024);
  });

  it("has at most as many as the environment says, of spans before that of all", async () => {
    const all = { OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: "10" };
    const ofSpans = { OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: "20" };
    const limits: [Env, number][] = [
      [all, 10],
      [ofSpans, 20],
      [{ ...all, ...ofSpans }, 20],
    ];
    for (const [env, length] of limits) {
      const { receive, exported } = open(env);
      const trace = receive();
      trace.set({ "db.query.text": "x".repeat(50) });
      assert.equal((await exported(trace)).attributes["db.query.text"], "x".repeat(length));
    }
  });
});

describe("close", () => {
  it("sends what has ended, however many batches that takes", async () => {
    const { tracing, spans, account } = open({ OTEL_BSP_SCHEDULE_DELAY: "60000" });
    for (let i = 0; i < 1_200; i++) tracing.begin("work").end();
    await tracing.close(10_000);
    assert.equal(spans.length, 1_200);
    assert.deepEqual(account, { exported: 1_200 });
  });

  it("waits no longer than it may, and counts what was not taken as lost to it", async () => {
    const dead: Exporter = { export() {}, shutdown: () => new Promise(() => {}) };
    const { tracing, account } = open({ OTEL_BSP_EXPORT_TIMEOUT: "60000" }, dead);
    for (let i = 0; i < 3; i++) tracing.begin("work").end();
    const startMs = performance.now();
    await tracing.close(20);
    assert.ok(performance.now() - startMs < 2_000);
    tracing.begin("late").end();
    assert.deepEqual(account, { shutdown: 4 });
  });

  it("without an exporter keeps no span and counts none", async () => {
    const account: string[] = [];
    const config = readConfig(otelEntries, {});
    const tracing = createTracing({ service: "orders", config, count: (outcome) => void account.push(outcome) });
    const trace = tracing.begin("work");
    assert.match(trace.headers.traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    trace.end();
    await tracing.close(10_000);
    assert.deepEqual(account, []);
  });
});
