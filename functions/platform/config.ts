import * as v from "valibot";
import { describeIssue } from "./schema.ts";

/** Bad configuration: the message names every bad variable at once and what it should be, never its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the variables of `entries` from `env`, frozen and typed; throws one {@link ConfigError} for all that are bad. */
export function readConfig<E extends v.ObjectEntries>(
  entries: E,
  env: Record<string, string | undefined>,
): Readonly<v.InferOutput<v.ObjectSchema<E, undefined>>> {
  const result = v.safeParse(v.object(entries), Object.fromEntries(Object.entries(env).filter(isSet)));
  if (result.success) return Object.freeze(result.output);
  const faults = new Set(result.issues.map((issue) => describeIssue(issue)));
  throw new ConfigError(`Cannot start: ${[...faults].join("; ")}`);
}

/** An empty variable of OpenTelemetry's is as good as none (its specification of environment variables). */
const isSet = ([name, value]: [string, string | undefined]) => !(name.startsWith("OTEL_") && value === "");

/** A variable that is an integer within bounds. */
export const integer = (minimum: number, maximum: number) => {
  const text = `should be an integer from ${minimum} to ${maximum}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/, text),
    v.transform(Number),
    v.minValue(minimum, text),
    v.maxValue(maximum, text),
  );
};

/** An {@link integer}, and what it is when nobody set it. */
export const number = (minimum: number, maximum: number, unset: number) =>
  v.optional(integer(minimum, maximum), String(unset));

/** A variable that is a URL with one of these protocols, each with its colon. */
export const url = (text: string, ...protocols: string[]) =>
  v.pipe(
    v.optional(v.string(), ""),
    v.check(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol) && hasReadableUser(value),
      text,
    ),
  );

/** User and password are percent-encoded; whoever sends them decodes them. */
function hasReadableUser(value: string): boolean {
  const { username, password } = new URL(value);
  try {
    return decodeURIComponent(username + password) !== undefined;
  } catch {
    return false;
  }
}

/** A TCP port to listen on. */
export const port = (unset: number) => number(1, 65535, unset);

/** The longest a request may take, in milliseconds: less than a shutdown waits for it. */
export const requestTimeoutMaxMs = 11_000;

/** How long a request may take, in milliseconds. */
export const requestTimeoutMs = (unset: number) => number(1, requestTimeoutMaxMs, unset);

/** A count of connections, 2 to 100: maintenance holds one beside the one it works on. */
export const connections = (unset: number) => number(2, 100, unset);

/** The URL of a peer, without a trailing slash. */
export const peerUrl = v.pipe(
  url("should be an http:// or https:// URL", "http:", "https:"),
  v.transform((value) => value.replace(/\/+$/, "")),
);

/** With a `/` unescaped in it, a password would be read as a part of the path, and shown as the database's name. */
const databasePattern = /^\w+:\/\/[^/?#]*(\/[^/?#@]*)?([?#].*)?$/;
const databaseText = "should be a postgres:// URL";

/** The URL of this function's own PostgreSQL database. */
export const databaseUrl = v.pipe(
  url(databaseText, "postgres:", "postgresql:"),
  v.regex(databasePattern, databaseText),
);

/** What every function reads besides its own variables. */
export const platformEntries = {
  HOST: v.optional(v.string(), "0.0.0.0"),
  LOG_LEVEL: v.optional(
    v.picklist(
      ["trace", "debug", "info", "warn", "error", "fatal"],
      "should be trace, debug, info, warn, error or fatal",
    ),
    "info",
  ),
};
