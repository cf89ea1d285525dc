import type { SpanContext, TraceState } from "@opentelemetry/api";

/** The caller's span, as its headers say. */
export type RemoteSpan = SpanContext & {
  /** Whether the trace id is random, which its flag says (Trace Context Level 2). */
  random: boolean;
};

const traceparentPattern = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const keyPattern = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const membersMax = 32;
const sampledFlag = 0b01;
const randomFlag = 0b10;

/**
 * Reads the caller's span (W3C Trace Context §3.2, §3.3); undefined when `traceparent` is absent or malformed. A malformed `tracestate` is
 * discarded whole. (OpenTelemetry's own propagator keeps the members it understands, against the specification's tests.)
 */
export function readTraceContext(headers: Pick<Headers, "get">): RemoteSpan | undefined {
  const [, version, traceId, spanId, flags = "", more] =
    traceparentPattern.exec(headers.get("traceparent")?.trim() ?? "") ?? [];
  if (!traceId || !spanId || (version === "00" && more !== undefined)) return undefined;
  const bits = Number.parseInt(flags, 16);
  const state = readTraceState(headers.get("tracestate") ?? "");
  return {
    traceId,
    spanId,
    traceFlags: bits & sampledFlag,
    random: (bits & randomFlag) !== 0,
    isRemote: true,
    ...(state && { traceState: state }),
  };
}

/** The headers that make a span the parent of what a peer does. */
export function writeTraceContext(span: SpanContext, random: boolean): Record<string, string> {
  const flags = (span.traceFlags | (random ? randomFlag : 0)).toString(16).padStart(2, "0");
  const state = span.traceState?.serialize();
  return { traceparent: `00-${span.traceId}-${span.spanId}-${flags}`, ...(state && { tracestate: state }) };
}

function readTraceState(header: string): TraceState | undefined {
  const members = header
    .split(",")
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
  const valid = members.every((member) => {
    const split = member.indexOf("=");
    return split > 0 && keyPattern.test(member.slice(0, split)) && valuePattern.test(member.slice(split + 1));
  });
  return valid && members.length > 0 && members.length <= membersMax ? passedOn(members.join(",")) : undefined;
}

/** We neither read nor write members of our own. */
function passedOn(text: string): TraceState {
  const state: TraceState = { serialize: () => text, get: () => undefined, set: () => state, unset: () => state };
  return state;
}
