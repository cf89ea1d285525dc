import type { Logger } from "./log.ts";

/** What travels with one request through service, store and peers: who asks, until when, and in which trace. */
export type Call = {
  readonly log: Logger;
  readonly requestId: string;
  readonly traceId: string;
  readonly traceparent: string;
  /** Absolute time in Unix milliseconds by which the reply must be sent. */
  readonly deadlineMs: number;
  /** Aborts at the deadline, and when the caller has gone away. */
  readonly signal: AbortSignal;
};

/** Wall clock in Unix milliseconds; a parameter so that tests own the time. */
export type Clock = () => number;

/** The absolute deadline between functions, Unix milliseconds in decimal. */
export const deadlineHeader = "Request-Deadline";

/** How long a request may take when nobody said otherwise, in milliseconds. */
export const deadlineDefaultMs = 10_000;

/** What each hop keeps of the deadline for its own answer, in milliseconds. */
export const hopReserveMs = 500;

/** The reason of a signal whose deadline has come. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

/** A signal that aborts at `deadlineMs`, or with `parent`; `clear` ends its timer. */
export function deadlineSignal(deadlineMs: number, parent?: AbortSignal, now: Clock = Date.now) {
  const controller = new AbortController();
  const abort = () => controller.abort(new DeadlineExceeded("the deadline has come"));
  const timer = setTimeout(abort, Math.max(0, deadlineMs - now()));
  const signal = parent ? AbortSignal.any([controller.signal, parent]) : controller.signal;
  return { signal, clear: () => clearTimeout(timer) };
}

/** `work`, or the signal's reason where that comes first; `work` then goes on unheard. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

const traceparentPattern = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's trace, or a new one when its header is absent or malformed (W3C Trace Context §3.2). */
export function readTrace(traceparent: string | undefined): { traceId: string; traceparent: string } {
  const traceId = traceparent && traceparentPattern.exec(traceparent)?.[1];
  return traceId ? { traceId, traceparent } : mintTrace();
}

/** A new sampled trace with random ids. */
export function mintTrace(): { traceId: string; traceparent: string } {
  const traceId = randomHex(16);
  return { traceId, traceparent: `00-${traceId}-${randomHex(8)}-01` };
}

function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

type Background = { log: Logger; timeoutMs: number };

/** Runs `work` as a call of our own, outside any request, in a new trace. */
export async function backgroundCall<T>({ log, timeoutMs }: Background, work: (call: Call) => Promise<T>): Promise<T> {
  const trace = mintTrace();
  const requestId = crypto.randomUUID();
  const deadlineMs = Date.now() + timeoutMs;
  const { signal, clear } = deadlineSignal(deadlineMs);
  try {
    return await work({
      log: log.child({ request_id: requestId, trace_id: trace.traceId }),
      requestId,
      ...trace,
      deadlineMs,
      signal,
    });
  } finally {
    clear();
  }
}
