import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { integer, number, url } from "./config.ts";

const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** In any case, as the specification of these variables wants it. */
const oneOf = <const T extends readonly [string, ...string[]]>(names: T, unset: T[number]) =>
  v.optional(
    v.pipe(
      v.string(),
      v.toLowerCase(),
      v.picklist(names, `should be ${names.join(", ").replace(/, (\S+)$/, " or $1")}`),
    ),
    unset,
  );

const ratioText = "should be a number from 0 to 1";
const ratio = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^[\d.]+(e-?\d+)?$/i, ratioText),
    v.transform(Number),
    v.minValue(0, ratioText),
    v.maxValue(1, ratioText),
  ),
  "1",
);

const collector = v.optional(url("should be an http:// or https:// URL", "http:", "https:"));

const limit = v.optional(integer(0, 65_536));
const length = v.optional(integer(1, 65_536));
const compression = v.optional(v.pipe(v.string(), v.picklist(["none", "gzip"], "should be none or gzip")));
const certificate = fileThat("holds a certificate, in PEM", (text) => new X509Certificate(text));
const key = fileThat("holds a private key, in PEM and not encrypted", createPrivateKey);

/** The path of a file that `parse` can read. */
function fileThat(holds: string, parse: (text: string) => unknown) {
  const isGood = (path: string) => {
    try {
      parse(readFileSync(path, "utf8"));
      return true;
    } catch {
      return false;
    }
  };
  return v.optional(v.pipe(v.string(), v.check(isGood, `should be a file that ${holds}`)));
}

const propagators = v.optional(
  v.pipe(
    v.string(),
    v.check((text) => {
      const names = text.split(",").map((name) => name.trim());
      return names.includes("tracecontext") && names.every((name) => ["tracecontext", "baggage"].includes(name));
    }, "should be tracecontext, with or without baggage"),
  ),
);

/** `key=value,key=value`, percent-encoded (W3C Baggage). */
const keyValues = v.pipe(
  v.optional(v.string(), ""),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      const pairs = dataset.value.split(",").filter((pair) => pair.trim() !== "");
      return Object.fromEntries(pairs.map(readPair));
    } catch {
      addIssue({ message: "should be key=value pairs, percent-encoded, with commas between them" });
      return NEVER;
    }
  }),
);

/** These are the connection's own. */
const reserved = /^(host|connection|content-length|transfer-encoding|upgrade|expect|te|trailer)$/i;

/** {@link keyValues} that can be sent as headers (RFC 9110 §5). */
const headers = v.pipe(
  keyValues,
  v.check(
    (pairs) =>
      Object.entries(pairs).every(
        ([name, value]) => /^[\w!#$%&'*+.^`|~-]+$/.test(name) && !reserved.test(name) && /^[\t\x20-\x7e]*$/.test(value),
      ),
    "should be headers as key=value pairs, percent-encoded, with commas between them",
  ),
);

function readPair(pair: string): [string, string] {
  const [, key = "", value = ""] = /^([^=]+)=(.*)$/s.exec(pair.trim()) ?? [];
  if (key.trim() === "") throw new Error("not a pair");
  return [decodeURIComponent(key.trim()), decodeURIComponent(value.trim())];
}

/** What the SDK reads of the environment by itself: here so that a bad value stops the start. */
const readBySdk = {
  OTEL_ATTRIBUTE_COUNT_LIMIT: limit,
  OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: limit,
  OTEL_SPAN_EVENT_COUNT_LIMIT: limit,
  OTEL_SPAN_LINK_COUNT_LIMIT: limit,
  OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: limit,
  OTEL_LINK_ATTRIBUTE_COUNT_LIMIT: limit,
};

/** What every function reads of OpenTelemetry's own variables; without an endpoint no span is sent. */
export const otelEntries = {
  ...readBySdk,
  OTEL_SDK_DISABLED: oneOf(["true", "false"], "false"),
  OTEL_SERVICE_NAME: v.optional(v.string()),
  OTEL_RESOURCE_ATTRIBUTES: keyValues,
  OTEL_TRACES_EXPORTER: oneOf(["otlp", "none"], "otlp"),
  OTEL_TRACES_SAMPLER: oneOf(samplers, "parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: ratio,
  OTEL_EXPORTER_OTLP_ENDPOINT: collector,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector,
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(["http/protobuf"], "http/protobuf"),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: oneOf(["http/protobuf"], "http/protobuf"),
  OTEL_EXPORTER_OTLP_HEADERS: headers,
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers,
  OTEL_EXPORTER_OTLP_COMPRESSION: compression,
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: compression,
  OTEL_EXPORTER_OTLP_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_CLIENT_KEY: key,
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: key,
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_TIMEOUT: number(1, 600_000, 1_000),
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: v.optional(integer(1, 600_000)),
  OTEL_BSP_SCHEDULE_DELAY: number(0, 600_000, 1_000),
  OTEL_BSP_EXPORT_TIMEOUT: number(1, 600_000, 1_500),
  OTEL_BSP_MAX_QUEUE_SIZE: number(1, 65_536, 2_048),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: number(1, 65_536, 512),
  OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: length,
  OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: length,
  /** Baggage is among them by default, and carried on by nobody: nothing here reads it. */
  OTEL_PROPAGATORS: propagators,
  /** Which revision of the function this is; Knative says. */
  K_REVISION: v.optional(v.string()),
};

/** The parsed form of {@link otelEntries}. */
export type OtelConfig = v.InferOutput<v.ObjectSchema<typeof otelEntries, undefined>>;

/** The longest text of a span's attribute, in characters. */
export const attributeLengthMax = (config: OtelConfig): number =>
  config.OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT ?? config.OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT ?? 1_024;

/** Where spans go, and how: what is said of traces stands above what is said of all signals. */
export type ExportConfig = {
  url: URL;
  headers: Record<string, string>;
  compression: "none" | "gzip";
  timeoutMs: number;
  /** Paths of PEM files: whom to trust in place of the system's, and who we are. */
  ca: string | undefined;
  key: string | undefined;
  cert: string | undefined;
};

/** Undefined when spans go nowhere. */
export function exportConfig(config: OtelConfig): ExportConfig | undefined {
  const url = tracesUrl(config);
  if (url === undefined) return undefined;
  const timeoutMs = config.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT ?? config.OTEL_EXPORTER_OTLP_TIMEOUT;
  return {
    url: new URL(url),
    headers: { ...config.OTEL_EXPORTER_OTLP_HEADERS, ...config.OTEL_EXPORTER_OTLP_TRACES_HEADERS },
    compression: config.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION ?? config.OTEL_EXPORTER_OTLP_COMPRESSION ?? "none",
    timeoutMs: Math.min(timeoutMs, config.OTEL_BSP_EXPORT_TIMEOUT),
    ca: config.OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE ?? config.OTEL_EXPORTER_OTLP_CERTIFICATE,
    key: config.OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY ?? config.OTEL_EXPORTER_OTLP_CLIENT_KEY,
    cert: config.OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE ?? config.OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
  };
}

/** The address spans go to; undefined when nowhere. */
export function tracesUrl(config: OtelConfig): string | undefined {
  if (config.OTEL_SDK_DISABLED === "true" || config.OTEL_TRACES_EXPORTER === "none") return undefined;
  if (config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined) return config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined;
  const base = new URL(config.OTEL_EXPORTER_OTLP_ENDPOINT);
  base.pathname = `${base.pathname.replace(/\/+$/, "")}/v1/traces`;
  return base.href;
}
