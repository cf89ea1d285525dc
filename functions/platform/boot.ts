import { readFileSync } from "node:fs";
import type { LogField } from "./catalogue.ts";

/** The phases of a process's start, in their order: each leads from the end of the one before it, the first from the start of the process. */
export const phases = ["modules", "config", "listen", "idle", "first_request"] as const;
/** One of {@link phases}. */
export type Phase = (typeof phases)[number];

/** When one phase began and ended, in Unix milliseconds. */
export type PhaseTime = { phase: Phase; startMs: number; endMs: number };

/** How a process came to its first reply. */
export type Boot = {
  readonly startedMs: number;
  /** The phases that have ended. */
  readonly times: readonly PhaseTime[];
  /** Until the first reply. */
  readonly cold: boolean;
  /** From the start of the process until it listened, in milliseconds: how long whoever woke it had to wait. */
  readonly wakeMs: number;
  /** The next phase has ended; false when it already had. */
  end(phase: Phase): boolean;
};

type BootOptions = { startedMs?: number; now?: () => number };

const sinceEpoch = () => performance.timeOrigin + performance.now();

/**
 * When this process began. `performance.timeOrigin` is 2 ms late on Bun and 13 ms on Deno, the runtime's own start; on Linux the process is at
 * least as old as its first thread has run and waited for a core (schedstat, nanoseconds).
 */
function startOfProcess(): number {
  try {
    const [ran = 0, waited = 0] = readFileSync("/proc/self/schedstat", "utf8").split(" ").map(Number);
    return Math.min(performance.timeOrigin, sinceEpoch() - (ran + waited) / 1e6);
  } catch {
    return performance.timeOrigin;
  }
}

/** Begins with the process; the clock is monotonic. */
export function createBoot({ startedMs = startOfProcess(), now = sinceEpoch }: BootOptions = {}): Boot {
  const times: PhaseTime[] = [];
  const ended = (phase: Phase) => times.some((time) => time.phase === phase);
  return {
    startedMs,
    times,
    get cold() {
      return !ended("first_request");
    },
    get wakeMs() {
      return (times.findLast(({ phase }) => phase === "listen")?.endMs ?? startedMs) - startedMs;
    },
    end(phase) {
      if (ended(phase)) return false;
      times.push({ phase, startMs: times.at(-1)?.endMs ?? startedMs, endMs: now() });
      return true;
    },
  };
}

/** The phases as fields of the log, in milliseconds. */
export function bootFields({ times }: Boot): Partial<Record<LogField, number>> {
  return Object.fromEntries(times.map(({ phase, startMs, endMs }) => [`${phase}_ms`, roundMs(endMs - startMs)]));
}

/** Milliseconds to two decimals. */
export const roundMs = (ms: number): number => Math.round(ms * 100) / 100;
