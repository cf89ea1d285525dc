import { setTimeout as wait } from "node:timers/promises";
import { exit } from "./program.ts";
import type { Telemetry } from "./telemetry.ts";

type Handler = (request: Request) => Response | Promise<Response>;
type Server = { stop(): Promise<unknown> };
type ServeOptions = {
  fetch: Handler;
  host: string;
  port: number;
  telemetry: Telemetry;
  /** Closes what the function holds (pools), once the last reply has been sent. */
  close?: () => Promise<void>;
};

/** Longer than any request may take; a request that outlives it is cut off at shutdown. */
const drainTimeoutMs = 12_000;
const closeTimeoutMs = 1_000;
/** Above the 90 s for which a proxy keeps an idle connection, so that it is never we who close first. */
const idleTimeoutS = 120;
/** Bun's `stop` waits for whoever has sent half a request; a whole one is pending until its reply is sent, and nothing else is waited for here. */
const stopCheckMs = 20;

/**
 * Serves until SIGTERM or SIGINT, then: stops accepting, finishes what is in flight, closes, sends the last spans, exits 0 (at most 1.5 s after the
 * last reply; on Deno later while a caller keeps back half of a body). Throws when it cannot listen. The only place that knows on which runtime it runs.
 */
export function serve({ fetch, host, port, telemetry, close = async () => {} }: ServeOptions): void {
  const { log } = telemetry;
  const work = countWork();
  const server = listenOrThrow((request) => work.run(() => fetch(request)), host, port);
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await within(
      drainTimeoutMs,
      server.stop().then(() => work.done()), // a caller who hangs up leaves his request under way
    );
    const [spans] = await Promise.all([telemetry.close(), within(closeTimeoutMs, close())]);
    log.info(spans, "stopped");
    await exit(log, 0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  telemetry.endPhase("listen");
  log.info({ host, port, runtime }, "listening");

  async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(timeout.resolve, timeoutMs);
    await Promise.race([work.catch((err) => log.warn({ err }, "cannot close cleanly")), timeout.promise]);
    clearTimeout(timer);
  }
}

/** Knows when the last of what it runs has ended. */
function countWork() {
  let running = 0;
  let onIdle = () => {};
  return {
    async run(handle: () => Response | Promise<Response>): Promise<Response> {
      running++;
      try {
        return await handle();
      } finally {
        running--;
        if (running === 0) onIdle();
      }
    },
    done: () =>
      new Promise<void>((resolve) => {
        onIdle = resolve;
        if (running === 0) resolve();
      }),
  };
}

type DenoServe = (
  options: { hostname: string; port: number; onListen: () => void },
  handler: Handler,
) => { shutdown(): Promise<void> };
const deno = (globalThis as { Deno?: { serve: DenoServe } }).Deno;
const runtime = deno ? "deno" : "bun";

function listenOrThrow(fetch: Handler, host: string, port: number): Server {
  try {
    return listen(fetch, host, port);
  } catch (cause) {
    throw new Error(`Cannot listen on "${host}:${port}": it is taken, or not ours to take`, { cause });
  }
}

function listen(fetch: Handler, hostname: string, port: number): Server {
  if (deno) {
    const server = deno.serve({ hostname, port, onListen: () => {} }, fetch);
    return { stop: () => server.shutdown() };
  }
  const server = Bun.serve({
    fetch: (request) => fetch(request),
    hostname,
    port,
    idleTimeout: idleTimeoutS,
    development: false,
  });
  return {
    async stop() {
      void server.stop();
      do await wait(stopCheckMs);
      while (server.pendingRequests > 0);
      await server.stop(true);
    },
  };
}
