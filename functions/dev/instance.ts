import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessExit, type RunningProcess, startProcess } from "./process.ts";

export interface InstanceOptions {
  revision: string;
  command: readonly [program: string, ...args: string[]];
  env: Readonly<Record<string, string | undefined>>;
  /** From the start of the process to the first 200 of `/readyz`. */
  bootTimeoutMs: number;
  /** How long a drain waits for the replies under way before it sends SIGTERM. */
  drainTimeoutMs: number;
  /** From SIGTERM to SIGKILL. */
  killTimeoutMs: number;
  onLine: (line: string) => void;
}

/** The process did not become ready. */
export class BootError extends Error {
  override readonly name = "BootError";
}

const readyPollMs = 5;

/** Where a process listens. */
export interface Target {
  port: number;
  /** Its connections are kept alive: a process that closes them early would lose a refusal whose body it never read. */
  agent: http.Agent;
}

/** One process of a function: waking → awake → draining → gone, each at most once. */
export class Instance implements Target {
  readonly revision: string;
  readonly port = freePort();
  readonly agent = new http.Agent({ keepAlive: true });
  readonly exited: Promise<ProcessExit>;
  /** Rejects with a {@link BootError}, but not when the process was drained before it was ready. */
  readonly ready: Promise<void>;
  state: "waking" | "awake" | "draining" | "gone" = "waking";
  readonly startedAtMs = performance.now();
  readyAtMs: number | undefined;
  requests = 0;
  inFlight = 0;
  /** It outlived SIGTERM for too long. */
  killed = false;
  readonly #options: InstanceOptions;
  readonly #process: RunningProcess;
  #drained = false;
  #onQuiet = () => {};

  constructor(options: InstanceOptions) {
    const { revision, command, env, onLine } = options;
    this.revision = revision;
    this.#options = options;
    this.#process = startProcess({ command, env: { ...env, PORT: `${this.port}` }, orphanSignal: "SIGKILL", onLine });
    this.exited = this.#process.exited.finally(() => {
      this.state = "gone";
    });
    this.ready = this.#boot();
  }

  /** A request comes in. */
  begin(): void {
    this.requests++;
    this.inFlight++;
  }

  /** The reply of one has ended. */
  end(): void {
    this.inFlight--;
    if (this.inFlight === 0) this.#onQuiet();
  }

  /** Lets the replies under way end, then ends the process. */
  async drain(): Promise<ProcessExit> {
    const { drainTimeoutMs, killTimeoutMs } = this.#options;
    this.#drained = true;
    this.state = "draining";
    await within(drainTimeoutMs, Promise.race([this.#quiet(), this.exited]));
    this.#process.signal("SIGTERM");
    if (!(await within(killTimeoutMs, this.exited))) {
      this.killed = true;
      this.#process.signal("SIGKILL");
    }
    return this.exited;
  }

  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
      if (this.inFlight === 0) resolve();
    });
  }

  async #boot(): Promise<void> {
    const { bootTimeoutMs } = this.#options;
    const over = new AbortController();
    const died = this.exited.then((exit) => {
      throw new BootError(`${describeExit(exit)} before it was ready`);
    });
    try {
      const ready = await within(bootTimeoutMs, Promise.race([pollReady(this.port, over.signal), died]));
      if (!ready) throw new BootError(`not ready within ${bootTimeoutMs} ms`);
      if (this.#drained) return;
      this.state = "awake";
      this.readyAtMs = performance.now();
    } catch (error) {
      this.#process.signal("SIGKILL");
      if (!this.#drained) throw error;
    } finally {
      over.abort();
    }
  }
}

/** How a process ended, for people. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal ? `ended by ${signal}` : `exit code ${code}`;
}

async function pollReady(port: number, over: AbortSignal): Promise<void> {
  while (!over.aborted && !(await answersReady(port, over))) await sleep(readyPollMs);
}

function answersReady(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ host: "127.0.0.1", port, path: "/readyz", agent: false, signal });
    request.on("error", () => resolve(false));
    request.on("response", (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
  });
}

/** False when `promise` takes longer than `timeoutMs`. */
async function within(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeoutMs, false);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}
