import { freePort } from "@shop/platform/testing";
import { startProgram } from "./programs.ts";

/** A real OpenTelemetry Collector that passes spans on. */
export async function startCollector(toUrl: string) {
  const [otlp, health] = await Promise.all([freePort(), freePort()]);
  const program = await startProgram("collector", {
    files: { "collector.yaml": config(otlp, health, toUrl) },
    args: (folder) => [`--config=${folder}/collector.yaml`],
    readyUrl: `http://127.0.0.1:${health}/`,
  });
  return { ...program, url: `http://127.0.0.1:${otlp}` };
}

const config = (otlp: number, health: number, toUrl: string) => `
service:
  extensions: [health_check]
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], processors: [batch], exporters: [otlp_http] }
extensions:
  health_check: { endpoint: 127.0.0.1:${health} }
receivers:
  otlp: { protocols: { http: { endpoint: 127.0.0.1:${otlp} } } }
processors:
  batch: { timeout: 200ms }
exporters:
  otlp_http: { endpoint: "${toUrl}", compression: none }
`;
