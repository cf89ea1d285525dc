import type { Logger } from "./log.ts";
import type { Telemetry } from "./telemetry.ts";
import { errorTypeOf, type Trace } from "./trace.ts";

/** What travels with one request through service, store and peers: who asks, until when, and in which trace. */
export type Call = {
  readonly log: Logger;
  readonly requestId: string;
  /** The span of this call; what is asked of peers and databases is recorded below it. */
  readonly trace: Trace;
  /** An entry of `Server-Timing` for each function that had to wake up for this call, this one first. */
  readonly cold: string[];
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

type Background = { telemetry: Telemetry; name: string; timeoutMs: number };

/** Runs `work` as a call of our own, outside any request, in a new trace whose root is called `name`. */
export async function backgroundCall<T>(
  { telemetry, name, timeoutMs }: Background,
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const trace = telemetry.tracing.begin(name);
  const requestId = crypto.randomUUID();
  const deadlineMs = Date.now() + timeoutMs;
  const { signal, clear } = deadlineSignal(deadlineMs);
  try {
    return await work({
      log: callLog(telemetry.log, requestId, trace),
      requestId,
      trace,
      cold: [],
      deadlineMs,
      signal,
    });
  } catch (error) {
    trace.fail(errorTypeOf(error));
    throw error;
  } finally {
    clear();
    trace.end();
  }
}

/** A logger whose every line says to which request it belongs. */
export function callLog(log: Logger, requestId: string, { traceId, spanId }: Trace): Logger {
  return log.child({ request_id: requestId, trace_id: traceId, span_id: spanId });
}
