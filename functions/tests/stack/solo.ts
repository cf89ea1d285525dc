import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startProcess } from "@shop/dev/process";
import { eventually, freePort } from "@shop/platform/testing";
import { isReady, runtimeCommand } from "../shop.ts";

/** Processor time in milliseconds per thousand requests; resident memory afterwards. */
export type Slice = { cpuMs: number; rssMb: number; failed: number };
export type Solo = {
  /** Asks so many times. */
  load(requests: number, connections: number): Promise<Slice>;
  /** Ends it by SIGTERM, within the time it may take; what it says of its spans. */
  stop(): Promise<{ exported: number; dropped: number }>;
};

const frontendBundle = fileURLToPath(new URL("../../frontend/dist/main.js", import.meta.url));
const stopMaxMs = 1_500;
/** One span a request: this page asks nobody. */
const path = "/docs/problems";

/** The frontend alone: a function without a database and, at this path, without a peer. */
export async function startSolo({ collectorUrl }: { collectorUrl: string }): Promise<Solo> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const lines: string[] = [];
  const running = startProcess({
    command: [...runtimeCommand("bun"), frontendBundle],
    env: {
      ...process.env,
      HOST: "127.0.0.1",
      PORT: `${port}`,
      GATEWAY_URL: "http://127.0.0.1:1",
      LOG_LEVEL: "info",
      OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
    },
    orphanSignal: "SIGKILL",
    onLine: (line) => {
      if (!line.includes('"msg":"request"')) lines.push(line);
    },
  });
  await eventually("the function is ready", () => isReady(url));
  return {
    async load(requests, connections) {
      const cpuBefore = cpuTimeMs(running.pid);
      let left = requests;
      let failed = 0;
      const client = async () => {
        while (left-- > 0) {
          const response = await fetch(`${url}${path}`);
          await response.arrayBuffer();
          if (response.status !== 200) failed++;
        }
      };
      await Promise.all(Array.from({ length: connections }, client));
      return {
        cpuMs: ((cpuTimeMs(running.pid) - cpuBefore) * 1_000) / requests,
        rssMb: residentMb(running.pid),
        failed,
      };
    },
    async stop() {
      const startMs = performance.now();
      running.signal("SIGTERM");
      const { code } = await running.closed;
      const tookMs = performance.now() - startMs;
      if (code !== 0 || tookMs > stopMaxMs) throw new Error(`ended with exit code ${code} after ${tookMs} ms`);
      const last = JSON.parse(lines.at(-1) ?? "{}");
      return { exported: last.spans_exported, dropped: last.spans_dropped };
    },
  };
}

const ticksPerS = 100;

/** User and system time of a process and its threads so far. */
function cpuTimeMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerS;
}

function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kb) / 1024;
}
