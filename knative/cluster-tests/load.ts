import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Routes } from "./routes.ts";

/** What a run of a scenario came to, by k6's names of metrics. */
export type Run = {
  requests: number;
  failed: number;
  dropped: number;
  confirmed: number;
  pending: number;
  refused: number;
};

type Summary = { metrics: Record<string, { values: Record<string, number> } | undefined> };

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A scenario of `loadtest/` against the gateway; disposed of before its end, it is broken off. */
export type Load = Disposable & {
  /** Rejects, with all that it wrote, when a threshold is crossed. */
  readonly ended: Promise<Run>;
};

export async function startLoad(routes: Routes, scenario: string, env: Record<string, string>): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), "shop-load-"));
  const file = join(folder, "summary.json");
  const to = ["--target", routes.url, "--host", await routes.hostOf("gateway"), "--summary", file];
  const variables = Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const args = ["loadtest/runner/load.ts", scenario, ...to, ...variables];
  const child = spawn("bun", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const stop = () => void child.kill();
  process.once("exit", stop);
  const ended = endOf(child, file).finally(async () => {
    process.off("exit", stop);
    await rm(folder, { recursive: true });
  });
  ended.catch(() => {}); // for whoever waits for it
  return { ended, [Symbol.dispose]: stop };
}

/** Runs a scenario to its end. */
export async function load(...args: Parameters<typeof startLoad>): Promise<Run> {
  using started = await startLoad(...args);
  return await started.ended;
}

async function endOf(child: ChildProcessByStdio<null, Readable, Readable>, file: string): Promise<Run> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 0, output);
  const { metrics } = JSON.parse(await readFile(file, "utf8")) as Summary;
  return {
    requests: metrics.http_reqs?.values.count ?? 0,
    failed: metrics.http_req_failed?.values.passes ?? 0, // those for which "failed" holds
    dropped: metrics.dropped_iterations?.values.count ?? 0,
    confirmed: metrics.orders_confirmed?.values.count ?? 0,
    pending: metrics.orders_pending?.values.count ?? 0,
    refused: metrics.orders_refused?.values.count ?? 0,
  };
}

/** A run in one line. */
export const summaryOf = ({ requests, failed, dropped, confirmed, pending, refused }: Run): string =>
  `${requests} requests, ${failed} failed, ${dropped} dropped; ${confirmed} orders confirmed, ${pending} pending, ${refused} refused`;
