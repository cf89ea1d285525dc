import type { MiddlewareHandler } from "hono";
import { bootFields } from "./boot.ts";
import { type Call, type Clock, callLog, deadlineHeader, deadlineSignal } from "./call.ts";
import { coldEntry } from "./cold.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Position } from "./tracing.ts";

/** What the chain leaves in a request's context. */
export type CallEnv = { Variables: { call: Call; requestId: string } };

type ReceiveOptions = { telemetry: Telemetry; position: Position; timeoutMs: number; clock: Clock };

/** Gives each request its {@link Call}: trace, deadline, log; and the one that woke the process the story of its start. */
export function receive({ telemetry, position, timeoutMs, clock }: ReceiveOptions): MiddlewareHandler<CallEnv> {
  const { boot, tracing } = telemetry;
  return async (c, next) => {
    const { cold } = boot;
    const first = telemetry.endPhase("idle");
    const trace = tracing.receive({ headers: c.req.raw.headers, position });
    trace.set({ "faas.coldstart": cold });
    if (first) for (const { phase, startMs, endMs } of boot.times) trace.past(`boot ${phase}`, startMs, endMs);

    const latestMs = clock() + timeoutMs;
    const deadlineMs = Math.min(
      latestMs,
      (position === "inside" && readDeadline(c.req.header(deadlineHeader))) || latestMs,
    );
    const { signal, clear } = deadlineSignal(deadlineMs, c.req.raw.signal, clock);
    const requestId = c.get("requestId");
    const log = callLog(telemetry.log, requestId, trace);
    c.set("call", { log, requestId, trace, cold: cold ? [coldEntry(telemetry)] : [], deadlineMs, signal });
    await next();
    clear();
    if (telemetry.endPhase("first_request")) log.info(bootFields(boot), "cold start");
  };
}

function readDeadline(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{13}$/.test(header) ? Number(header) : undefined;
}
