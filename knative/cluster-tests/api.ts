import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { eventually } from "@shop/platform/testing";

export type Meta = {
  name: string;
  namespace?: string;
  generation?: number;
  labels?: Record<string, string>;
  deletionTimestamp?: string;
};
export type Condition = { type: string; status: "True" | "False" | "Unknown"; reason?: string; message?: string };
export type WatchEvent<T> = { type: "ADDED" | "MODIFIED" | "DELETED"; object: T };

/** A cluster's API on loopback, behind `kubectl proxy`, with the caller's own rights. */
export type Api = AsyncDisposable & {
  /** Undefined when there is no such thing. */
  get<T>(path: string): Promise<T | undefined>;
  list<T>(path: string): Promise<T[]>;
  remove(path: string, options?: { gracePeriodSeconds?: number }): Promise<void>;
  /** Everything that is there, then every change, until the signal. */
  watch<T>(path: string, signal: AbortSignal, on: (event: WatchEvent<T>) => void): Promise<void>;
};

/** Longer than any run of the suite. */
const watchTimeoutS = 6 * 3_600;

export async function openApi(): Promise<Api> {
  const proxy = await openTunnel("the cluster", "proxy", "--port=0");

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`http://${proxy.address}${path}`, init);
    if (response.ok || response.status === 404) return response;
    throw new Error(`Cannot ${init.method ?? "GET"} "${path}": ${response.status} ${await response.text()}`);
  }

  return {
    async get<T>(path: string) {
      const response = await request(path);
      return response.ok ? ((await response.json()) as T) : undefined;
    },
    async list<T>(path: string) {
      const response = await request(path);
      return response.ok ? ((await response.json()) as { items: T[] }).items : [];
    },
    async remove(path, options = {}) {
      await (await request(path, { method: "DELETE", body: JSON.stringify(options) })).body?.cancel();
    },
    async watch<T>(path: string, signal: AbortSignal, on: (event: WatchEvent<T>) => void) {
      const query = path.includes("?") ? "&" : "?";
      const response = await request(`${path}${query}watch=true&timeoutSeconds=${watchTimeoutS}`, { signal });
      let rest = "";
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        for (const part of parts) on(JSON.parse(part) as WatchEvent<T>);
      }
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** What stands behind an address on loopback for as long as kubectl runs: `proxy` or `port-forward`. */
export async function openTunnel(to: string, ...args: string[]): Promise<AsyncDisposable & { address: string }> {
  const child = spawn("kubectl", args, { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on("line", (line) => lines.push(line));
  const address = await eventually(`a tunnel to ${to}`, () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Cannot reach ${to}: ${lines.join(" ")}`);
    return /127\.0\.0\.1:\d+/.exec(lines.join(" "))?.[0];
  });
  return {
    address,
    async [Symbol.asyncDispose]() {
      const isOver = child.exitCode !== null || child.signalCode !== null; // Ctrl-C ends it as well
      child.kill();
      if (!isOver) await once(child, "exit");
    },
  };
}

/** Runs kubectl; what it wrote, without its warnings. */
export async function kubectl(...args: string[]): Promise<string> {
  const { code, output, error } = await tryKubectl(...args);
  if (code !== 0) throw new Error(`Cannot run "kubectl ${args.join(" ")}": ${error.trim().slice(-2_000)}`);
  return output;
}

/** Runs kubectl, which may fail. */
export async function tryKubectl(...args: string[]): Promise<{ code: number; output: string; error: string }> {
  const child = spawn("kubectl", args, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close") as Promise<[number]>;
  const [output, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  return { code, output, error };
}
