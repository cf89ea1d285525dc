import { delay, type Interruption } from "./interruption.ts";
import type { Scenario } from "./options.ts";
import { dueTimes, type RateStage } from "./schedule.ts";
import type { Vu } from "./vu.ts";

export type ExecutorHost = {
  createVu: () => Vu;
  /** Runs one iteration; `dueMs` is when it should have begun. */
  iterate: (vu: Vu, dueMs: number) => Promise<void>;
  /** Notes iterations that were to be and are not. */
  drop: (count: number) => void;
  interruption: Interruption;
};

/** Begins a scenario's iterations; resolves when no more will begin. */
export function execute(scenario: Scenario, host: ExecutorHost): Promise<void> {
  if (scenario.executor === "per-vu-iterations") return perVuIterations(scenario, host);
  return arrivalRate(scenario, stagesOf(scenario), host);
}

type ArrivalRate = Extract<Scenario, { preAllocatedVUs: number }>;

/** How long iterations may begin, at most. */
export function spanMs(scenario: Scenario): number {
  if (scenario.executor === "per-vu-iterations") return scenario.maxDuration;
  return stagesOf(scenario).reduce((sum, { durationMs }) => sum + durationMs, 0);
}

function stagesOf(scenario: ArrivalRate): RateStage[] {
  if (scenario.executor === "constant-arrival-rate") {
    const perMs = scenario.rate / scenario.timeUnit;
    return [{ fromPerMs: perMs, toPerMs: perMs, durationMs: scenario.duration }];
  }
  let from = scenario.startRate;
  return scenario.stages.map(({ target, duration }) => {
    const stage = { fromPerMs: from / scenario.timeUnit, toPerMs: target / scenario.timeUnit, durationMs: duration };
    from = target;
    return stage;
  });
}

/**
 * Open model: an iteration begins when it is due, however long the others take. Without a free user it is dropped, never late, so a slow
 * server cannot slow down what measures it (coordinated omission).
 */
async function arrivalRate(scenario: ArrivalRate, stages: RateStage[], host: ExecutorHost): Promise<void> {
  const { createVu, iterate, drop, interruption } = host;
  const vusMax = Math.max(scenario.maxVUs ?? 0, scenario.preAllocatedVUs);
  const free = Array.from({ length: scenario.preAllocatedVUs }, createVu);
  let vus = free.length;
  const startMs = performance.now();

  for (const offsetMs of dueTimes(stages)) {
    const dueMs = startMs + offsetMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await delay(waitMs, interruption);
    if (interruption.fired) return;
    if (free.length === 0 && vus < vusMax) {
      free.push(createVu());
      vus += 1;
    }
    const vu = free.shift();
    if (vu) void iterate(vu, dueMs).then(() => free.push(vu));
    else drop(1);
  }
}

/** Closed model: each user runs its iterations one after the other, all users at once. */
async function perVuIterations(
  { vus, iterations, maxDuration }: Extract<Scenario, { executor: "per-vu-iterations" }>,
  { createVu, iterate, drop, interruption }: ExecutorHost,
): Promise<void> {
  const startMs = performance.now();
  const isOver = () => interruption.fired || performance.now() - startMs >= maxDuration;
  let left = vus * iterations;
  const users = Array.from({ length: vus }, createVu);
  const all = Promise.all(
    users.map(async (vu) => {
      for (let count = 0; count < iterations && !isOver(); count++) {
        left -= 1;
        await iterate(vu, performance.now());
      }
    }),
  );
  await Promise.race([all, delay(maxDuration, interruption)]);
  if (left > 0) drop(left);
}
