import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ExportResultCode } from "@opentelemetry/core";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { Exporter } from "./delivery.ts";
import { type ExportConfig, exportConfig, type OtelConfig } from "./otel-config.ts";

const mediaType = "application/x-protobuf";
const compress = promisify(gzip);
/** An answer says no more than how many spans were rejected, and why. */
const answerMaxBytes = 64 * 1024;
/** So many batches are on their way at once; the others wait, within their time-out. */
const connectionsMax = 8;

/**
 * Sends spans by OTLP/HTTP (OpenTelemetry protocol 1.9, binary protobuf), each batch tried once: one that fails is lost, and counted. Undefined where the
 * configuration names no collector; throws when its client certificate is not that of its key.
 */
export function openExporter(config: OtelConfig): Exporter | undefined {
  const target = exportConfig(config);
  if (!target) return undefined;
  const { post, close } = openPost(target);
  return {
    export(spans, done) {
      send(spans, post).then(
        (rejected) => done({ code: ExportResultCode.SUCCESS, rejected }),
        (error: Error) => done({ code: ExportResultCode.FAILED, error }),
      );
    },
    shutdown: async () => close(),
  };
}

type Answer = { status: number; type: string | undefined; body: Uint8Array };
type Post = (body: Uint8Array) => Promise<Answer>;

/** How many of the spans the collector rejected; throws when it took none, or did not say that it took them. */
async function send(spans: ReadableSpan[], post: Post): Promise<number> {
  const request = ProtobufTraceSerializer.serializeRequest(spans);
  if (!request) throw new Error("Cannot serialize spans");
  const { status, type, body } = await post(request);
  if (status < 200 || status > 299) throw new Error(`Cannot deliver spans: the collector answers ${status}`);
  if (type !== undefined && type !== mediaType)
    throw new Error("Cannot deliver spans: the answer is not a collector's");
  const { partialSuccess } = ProtobufTraceSerializer.deserializeResponse(body);
  return Number(partialSuccess?.rejectedSpans ?? 0);
}

/** Over connections that are kept; the time-out is for the whole exchange, also for an answer that drips. */
function openPost({ url, headers, compression, timeoutMs, ...files }: ExportConfig) {
  const { Agent, request } = url.protocol === "https:" ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax, ...readCredentials(files) });
  const post: Post = async (bytes) => {
    const body = compression === "gzip" ? await compress(bytes) : bytes;
    const answer = Promise.withResolvers<Answer>();
    const asked = request(url, {
      method: "POST",
      agent,
      headers: {
        ...headers,
        "Content-Type": mediaType,
        "Content-Length": body.byteLength,
        ...(compression === "gzip" && { "Content-Encoding": "gzip" }),
      },
    });
    asked.on("error", answer.reject).on("response", (reply: http.IncomingMessage) => {
      const type = reply.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
      readAll(reply).then((body) => answer.resolve({ status: reply.statusCode ?? 0, type, body }), answer.reject);
    });
    const timer = setTimeout(() => {
      answer.reject(new Error("Cannot deliver spans: the collector does not answer in time"));
      asked.destroy();
    }, timeoutMs);
    asked.end(body);
    return answer.promise.finally(() => clearTimeout(timer));
  };
  return { post, close: () => agent.destroy() };
}

async function readAll(reply: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > answerMaxBytes) throw new Error("Cannot deliver spans: the answer is longer than a collector's");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The PEM files of a TLS connection. */
function readCredentials({ ca, key, cert }: Pick<ExportConfig, "ca" | "key" | "cert">) {
  const files = {
    ...(ca && { ca: readFileSync(ca) }),
    ...(key && { key: readFileSync(key) }),
    ...(cert && { cert: readFileSync(cert) }),
  };
  if (!files.key && !files.cert) return files;
  if (files.key && files.cert && new X509Certificate(files.cert).checkPrivateKey(createPrivateKey(files.key)))
    return files;
  throw new Error(
    "Cannot send spans: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE should be that of OTEL_EXPORTER_OTLP_CLIENT_KEY",
  );
}
