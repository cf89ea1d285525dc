import type { Life, Pods } from "./pods.ts";

/** One read of a pod's exposition: when it was asked for, in Unix milliseconds, and whether it came. */
export type Read = { atMs: number; good: boolean };
export type Scraper = AsyncDisposable & { readsOf(life: Life): readonly Read[] };

const everyMs = 1_000;
/** As Prometheus is told to wait. */
const timeoutMs = 3_000;

/** Reads the `user-port` of every pod there is, each second, as Prometheus would: past the queue-proxy, which would take it for traffic. */
export function scrapeAll(pods: Pods): Scraper {
  const reads = new Map<string, Read[]>();
  const timer = setInterval(() => {
    for (const { pod, address, readyMs, goneMs } of pods.lives) {
      if (!address || !readyMs || goneMs) continue;
      const all = reads.get(pod) ?? [];
      reads.set(pod, all);
      const atMs = Date.now();
      readMetrics(address).then(
        () => all.push({ atMs, good: true }),
        () => all.push({ atMs, good: false }),
      );
    }
  }, everyMs);
  return {
    readsOf: ({ pod }) => reads.get(pod) ?? [],
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

/** What counts come to, of whatever they are. */
export const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, one) => all + one, 0);

/** The value of the first sample whose line begins so. */
export function valueIn(text: string, start: string): number {
  const line = text.split("\n").find((one) => one.startsWith(start));
  if (line === undefined) throw new Error(`Cannot find "${start}" in an exposition`);
  return Number(line.slice(line.lastIndexOf(" ") + 1));
}
