import { Agent } from "node:http";
import { ExportResultCode } from "@opentelemetry/core";
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base";
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import {
  type IExportTraceServiceResponse,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { Exporter } from "./delivery.ts";
import { type OtelConfig, tracesUrl } from "./otel-config.ts";

const contentType = { "Content-Type": "application/x-protobuf" };

/**
 * OpenTelemetry's exporter for OTLP/HTTP, put together here so that the collector's answer is read: for OpenTelemetry every 2xx is a success, also one that
 * rejects spans (partial success), breaks off, or is no answer of OTLP's at all. Undefined where the configuration names no collector.
 */
export function openExporter(config: OtelConfig): Exporter | undefined {
  const url = tracesUrl(config);
  if (url === undefined) return undefined;
  const timeoutMillis = config.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT ?? config.OTEL_EXPORTER_OTLP_TIMEOUT;
  const agent = url.startsWith("http:") ? new Agent({ keepAlive: true }) : undefined; // the exporter's own has the certificates
  const options = { url, timeoutMillis, ...(agent && { httpAgentOptions: () => agent }) };

  let answer: IExportTraceServiceResponse | undefined;
  const serializer = {
    serializeRequest: ProtobufTraceSerializer.serializeRequest,
    deserializeResponse(body: Uint8Array) {
      answer = ProtobufTraceSerializer.deserializeResponse(body);
      return answer;
    },
  };
  const exporter = new OTLPExporterBase<ReadableSpan[]>(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(options, "TRACES", "v1/traces", contentType),
      serializer,
      "otlp_http_span_exporter",
      TraceExporterMetricsHelper,
      undefined,
    ),
  );
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const read = answer; // of this batch: it is read and told of in one go
        answer = undefined;
        if (result.code === ExportResultCode.SUCCESS && !read) return done({ code: ExportResultCode.FAILED });
        done({ ...result, rejected: Number(read?.partialSuccess?.rejectedSpans ?? 0) });
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
    ...(agent && { abort: () => agent.destroy() }),
  };
}
