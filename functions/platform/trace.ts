import {
  trace as api,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import type { Attributes } from "./catalogue.ts";
import { PeerProblem, Problem } from "./problem.ts";
import { writeTraceContext } from "./trace-context.ts";

/** One span, and what can be done under it. */
export type Trace = {
  readonly traceId: string;
  readonly spanId: string;
  /** Labels by which a measurement leads to this span; none when it is not kept, and so cannot be looked up. */
  readonly exemplar: Record<string, string>;
  /** What a request to a peer must carry to have this span as its parent (W3C Trace Context). */
  readonly headers: Record<string, string>;
  set(attributes: Attributes): void;
  /** Marks the span as failed, by a code that holds no data. */
  fail(errorType: string): void;
  /** Runs `work` in a child span, which ends with it; what it throws marks the span. */
  child<T>(options: ChildOptions, work: (span: Trace) => Promise<T>): Promise<T>;
  /** A child span of what has already been, in Unix milliseconds. */
  past(name: string, startMs: number, endMs: number): void;
  end(name?: string): void;
};

type ChildOptions = {
  name: string;
  /** `client` when it asks something else, a peer or a database. */
  kind?: "client" | "internal";
  attributes?: Attributes;
};

const kinds = { client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };

type TraceOptions = {
  tracer: Tracer;
  span: Span;
  /** Whether the caller's flag said that the trace id is random (Trace Context Level 2). */
  random: boolean;
  /** Whether sampled spans are sent anywhere. */
  kept: boolean;
  now: () => number;
};

/** Wraps a started span. */
export function createTrace({ tracer, span, random, kept, now }: TraceOptions): Trace {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const below = api.setSpan(ROOT_CONTEXT, span);
  const fail = (errorType: string) => {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute("error.type", errorType);
  };
  return {
    traceId,
    spanId,
    exemplar: kept && traceFlags & TraceFlags.SAMPLED ? { trace_id: traceId, span_id: spanId } : {},
    headers: writeTraceContext(span.spanContext(), random),
    set: (attributes) => span.setAttributes(attributes),
    fail,
    async child({ name, kind = "internal", attributes = {} }, work) {
      const started = tracer.startSpan(name, { kind: kinds[kind], attributes, startTime: now() }, below);
      const child = createTrace({ tracer, span: started, random, kept, now });
      try {
        return await work(child);
      } catch (error) {
        child.fail(errorTypeOf(error));
        throw error;
      } finally {
        child.end();
      }
    },
    past: (name, startMs, endMs) => tracer.startSpan(name, { startTime: startMs }, below).end(endMs),
    end(name) {
      if (name !== undefined) span.updateName(name);
      span.end(now());
    },
  };
}

/**
 * Unix milliseconds with fractions, so that the spans of one millisecond keep their order, here and in the next function. The monotonic clock
 * gives them; it stands as long as it agrees with the wall clock, which it does not where the machine has slept.
 */
export function spanClock(): () => number {
  const nowMs = performance.now();
  const drifted = Math.abs(performance.timeOrigin + nowMs - Date.now()) > driftMaxMs;
  const offsetMs = drifted ? Date.now() - nowMs : performance.timeOrigin;
  return () => offsetMs + performance.now();
}

const driftMaxMs = 2;

/** What kind of error it is, in a word that holds no data. */
export function errorTypeOf(error: unknown): string {
  if (error instanceof PeerProblem) return `${error.status}`;
  if (error instanceof Problem) return error.code;
  if (!(error instanceof Error)) return typeof error;
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
