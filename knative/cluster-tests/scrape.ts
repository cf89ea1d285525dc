import type { Pods } from "./pods.ts";

/** How often each pod was read, and how often it did not answer. */
export type Scraper = AsyncDisposable & { readonly reads: ReadonlyMap<string, { good: number; bad: number }> };

const everyMs = 1_000;
const timeoutMs = 900;

/** Reads the `user-port` of every pod there is, each second, as Prometheus would: past the queue-proxy, which would take it for traffic. */
export function scrapeAll(pods: Pods): Scraper {
  const reads = new Map<string, { good: number; bad: number }>();
  const timer = setInterval(() => {
    for (const { pod, address, readyMs, goneMs } of pods.lives) {
      if (!address || !readyMs || goneMs) continue;
      const read = reads.get(pod) ?? { good: 0, bad: 0 };
      reads.set(pod, read);
      readMetrics(address).then(
        () => read.good++,
        () => read.bad++,
      );
    }
  }, everyMs);
  return {
    reads,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
    },
  };
}

/** One exposition, by the address of a pod. */
export async function readMetrics(address: string): Promise<string> {
  const headers = { Accept: "application/openmetrics-text" };
  const response = await fetch(`http://${address}/metrics`, { headers, signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`Cannot read "${address}": ${response.status}`);
  return response.text();
}

/** The value of the first sample whose line begins so. */
export function valueIn(text: string, start: string): number {
  const line = text.split("\n").find((one) => one.startsWith(start));
  if (line === undefined) throw new Error(`Cannot find "${start}" in an exposition`);
  return Number(line.slice(line.lastIndexOf(" ") + 1));
}
