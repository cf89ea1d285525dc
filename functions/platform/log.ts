import { type DestinationStream, type Logger, pino } from "pino";
import { logFields } from "./catalogue.ts";
import { PeerProblem, Problem } from "./problem.ts";

export type { Logger } from "pino";

type LogOptions = { service: string; level?: string; destination?: DestinationStream };

/** What may wait for a reader that does not read; beyond it lines are lost, for the process has to live. */
const unreadMaxBytes = 8 * 1024 * 1024;

/** A logger that writes one JSON object a line to stdout, without ever blocking the event loop on a slow reader. */
export function createLogger({ service, level = "info", destination }: LogOptions): Logger {
  const log = pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: onlyDeclared },
      hooks: {
        logMethod(args, method) {
          method.apply(this, withShownMessage(args));
        },
      },
      serializers: { err: (error) => errorFields(error) },
    },
    destination ?? pino.destination({ dest: 1, sync: false, minLength: 1, maxLength: unreadMaxBytes }), // with minLength 0 a flush would not wait
  );
  const { child } = log; // whose fields pino formats for a root only
  log.child = function (this: Logger, fields: object, options?: object) {
    return child.call(this, onlyDeclared({ ...fields }), options);
  } as typeof child;
  return log;
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

/** A field that the catalogue does not declare shows its name and not its value: nobody has looked whether that is secret. */
function onlyDeclared(fields: Record<string, unknown>): Record<string, unknown> {
  if (Object.keys(fields).every(isDeclared)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isDeclared(name) ? value : "[not in the catalogue]"]),
  );
}

const isDeclared = (name: string): boolean => Object.hasOwn(logFields, name);

/** A line whose message is its error's own shows that as the error does; pino would take it over as it is. */
function withShownMessage<A extends unknown[]>(args: A): A {
  const [first, message] = args;
  const error = first instanceof Error ? first : (first as { err?: unknown } | null)?.err;
  if (error instanceof Error && (message === undefined || message === error.message)) {
    return [first, shownMessage(error)] as unknown as A;
  }
  return args.map((arg) => (typeof arg === "string" ? withoutSecrets(arg) : arg)) as A;
}

type ErrorFields = { type: string; message: string; code?: string; stack?: string; cause?: ErrorFields };

/**
 * Of an error only what is known to hold no data: a database error's `detail` and `parameters` would hold some. What a problem
 * expects to happen needs no stack.
 */
function errorFields(error: unknown, withStack = !isExpected(error)): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: "not an Error" };
  const { name, cause } = error;
  const code = codeOf(error);
  const stack = withStack ? shownStack(error) : undefined;
  return {
    type: name,
    message: shownMessage(error),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && { cause: errorFields(cause, withStack) }),
  };
}

const codeOf = (error: Error): string | undefined =>
  "code" in error && typeof error.code === "string" ? error.code : undefined;

const withheld = "withheld: it quotes a value";

/** SQLSTATE class 22, whose messages quote the value; 28 and 53300, whose quote the role. */
const quotesValue = (error: Error): boolean => /^(2[28][0-9A-Z]{3}|53300)$/.test(codeOf(error) ?? "");

const shownMessage = (error: Error): string => (quotesValue(error) ? withheld : withoutSecrets(error.message));

/** None when the message to withhold is not where it should be. */
function shownStack(error: Error): string | undefined {
  const { stack, message } = error;
  if (!quotesValue(error)) return stack && withoutSecrets(stack);
  return stack?.includes(message) ? stack.replaceAll(message, withheld) : undefined;
}

/**
 * Of each URL in a text neither user, nor password (up to the last `@` before the path), nor query; of one that was asked for no path
 * either, which may be as a caller wrote it.
 */
const withoutSecrets = (text: string): string =>
  text
    .slice(0, messageMax)
    .replace(/:\/\/[^\s/?#]*@/g, "://***@")
    .replace(/\b(https?:\/\/[^\s/?#]+)[/?#]\S*/g, "$1/***")
    .replace(/(:\/\/[^\s?]*)\?\S*/g, "$1?***");

/** No message of an error needs more, in characters; what is searched has to end. */
const messageMax = 8 * 1024;

const isExpected = (error: unknown): boolean =>
  error instanceof PeerProblem || (error instanceof Problem && error.code !== "internal");
