import { freePort } from "@shop/platform/testing";
import { startProgram } from "./programs.ts";

export type JaegerSpan = {
  traceID: string;
  spanID: string;
  operationName: string;
  /** Unix microseconds. */
  startTime: number;
  processID: string;
  references: { refType: string; traceID: string; spanID: string }[];
  warnings: string[] | null;
};
export type JaegerTrace = {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string }>;
};

/** A real Jaeger 2 that keeps spans in memory. */
export async function startJaeger() {
  const [otlp, query, grpc, health] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const program = await startProgram("jaeger", {
    files: { "jaeger.yaml": config(otlp, query, grpc, health) },
    args: (folder) => [`--config=${folder}/jaeger.yaml`],
    readyUrl: `http://127.0.0.1:${health}/status`,
  });
  return {
    ...program,
    /** Where spans go. */
    url: `http://127.0.0.1:${otlp}`,
    async trace(traceId: string): Promise<JaegerTrace | undefined> {
      const response = await fetch(`http://127.0.0.1:${query}/api/traces/${traceId}`);
      if (response.status === 404) return undefined;
      return ((await response.json()) as { data: JaegerTrace[] }).data[0];
    },
  };
}

const config = (otlp: number, query: number, grpc: number, health: number) => `
service:
  extensions: [healthcheckv2, jaeger_storage, jaeger_query]
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] }
extensions:
  healthcheckv2: { use_v2: true, http: { endpoint: 127.0.0.1:${health} } }
  jaeger_storage: { backends: { memory: { memory: { max_traces: 100000 } } } }
  jaeger_query:
    storage: { traces: memory }
    http: { endpoint: 127.0.0.1:${query} }
    grpc: { endpoint: 127.0.0.1:${grpc} }
receivers:
  otlp: { protocols: { http: { endpoint: 127.0.0.1:${otlp} } } }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
`;
