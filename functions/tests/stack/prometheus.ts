import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { freePort } from "@shop/platform/testing";
import { startProgram } from "./programs.ts";

/** How often Prometheus reads a function, and how long that may take, in seconds. */
export const scrapeIntervalS = 15;
export const scrapeTimeoutS = 3;

/** As a cluster's discovery labels it: an address may come again, a pod's name does not. */
export type Target = { address: string; function: string; pod: string };
export type Sample = { metric: Record<string, string>; value: number };

/** A real Prometheus, with the flags that exact counts need, these `scrape_configs`, and files beside them. */
export async function runPrometheus(scrapeConfigs: string, files: Record<string, string> = {}) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = await startProgram("prometheus", {
    files: { ...files, "prometheus.yaml": `${global}scrape_configs:\n${scrapeConfigs}` },
    args: (folder) => [
      `--config.file=${folder}/prometheus.yaml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=created-timestamp-zero-ingestion,exemplar-storage,promql-extended-range-selectors",
    ],
    readyUrl: `${url}/-/ready`,
  });

  async function get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(query)}`);
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== "success") throw new Error(`Cannot query "${JSON.stringify(query)}": ${body.error}`);
    return body.data;
  }

  return {
    lines: program.lines,
    async query(query: string): Promise<Sample[]> {
      const { result } = await get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>("query", {
        query,
      });
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    /** What it last said of reading a target, by job; empty when it could. */
    async errors(address: string): Promise<string[]> {
      type Active = { discoveredLabels: Record<string, string>; lastError: string };
      const { activeTargets } = await get<{ activeTargets: Active[] }>("targets");
      return activeTargets.filter((one) => one.discoveredLabels.__address__ === address).map((one) => one.lastError);
    },
    get,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/**
 * A real Prometheus that reads whatever is in `targets` at the time, twice: job `functions` as we mean it, job `text` in the format without
 * `_created`.
 */
export async function startPrometheus(targets: Iterable<Target>) {
  const discovery = createServer((_, reply) => {
    const groups = [...targets].map((one) => ({
      targets: [one.address],
      labels: { function: one.function, pod: one.pod },
    }));
    reply.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(groups));
  });
  await new Promise<void>((resolve) => discovery.listen(0, "127.0.0.1", resolve));
  const prometheus = await runPrometheus(jobs((discovery.address() as AddressInfo).port));
  return {
    ...prometheus,
    async [Symbol.asyncDispose]() {
      await prometheus[Symbol.asyncDispose]();
      discovery.closeAllConnections();
      await new Promise((resolve) => discovery.close(resolve));
    },
  };
}

const global = `global: { scrape_interval: ${scrapeIntervalS}s, scrape_timeout: ${scrapeTimeoutS}s }
`;

const jobs = (discovery: number) => `
  - job_name: functions
    http_sd_configs: [{ url: "http://127.0.0.1:${discovery}/", refresh_interval: 1s }]
  - job_name: text
    scrape_protocols: [PrometheusText0.0.4]
    http_sd_configs: [{ url: "http://127.0.0.1:${discovery}/", refresh_interval: 1s }]
`;
