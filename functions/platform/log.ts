import { type DestinationStream, type Logger, pino } from "pino";
import { PeerProblem, Problem } from "./problem.ts";

export type { Logger } from "pino";

type LogOptions = { service: string; level?: string; destination?: DestinationStream };

/** A logger that writes one JSON object a line to stdout, without ever blocking the event loop on a slow reader. */
export function createLogger({ service, level = "info", destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error) => errorFields(error) },
    },
    destination ?? pino.destination({ dest: 1, sync: false, minLength: 1 }), // with 0 a flush would not wait
  );
}

/** Waits until what was logged is written, at most `timeoutMs`: a reader that never drains must not hold the exit. */
export function flushLog(log: Logger, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    log.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

type ErrorFields = { type: string; message: string; code?: string; stack?: string; cause?: ErrorFields };

/**
 * Of an error only what is known to hold no data: a database error's `detail` and `parameters` would hold some. What a problem
 * expects to happen needs no stack.
 */
function errorFields(error: unknown, withStack = !isExpected(error)): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: "not an Error" };
  const { name, message, stack, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return {
    type: name,
    message,
    ...(code !== undefined && { code }),
    ...(withStack && stack !== undefined && { stack }),
    ...(cause !== undefined && { cause: errorFields(cause, withStack) }),
  };
}

const isExpected = (error: unknown): boolean =>
  error instanceof PeerProblem || (error instanceof Problem && error.code !== "internal");
