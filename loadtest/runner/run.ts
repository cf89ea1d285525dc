import { asError } from "./as-error.ts";
import { execute, spanMs } from "./executors.ts";
import { createInterruption, delay, type Interruption } from "./interruption.ts";
import type { Metrics, Tags } from "./metrics.ts";
import type { Options, Scenario } from "./options.ts";
import { NotRunnable } from "./subset.ts";
import type { Threshold, Verdict } from "./thresholds.ts";
import { type Current, createVu, type Iteration, settleCalls, type Vu } from "./vu.ts";
import { within } from "./within.ts";

type Work = (data?: unknown) => unknown;

/** A script's functions by the names it exports them under: `default`, `setup`, `teardown`, and those that scenarios name. */
export type Functions = Readonly<Record<string, Work>>;

export type RunOptions = {
  functions: Functions;
  options: Options;
  metrics: Metrics;
  thresholds: readonly Threshold[];
  current: Current;
  warn: (text: string) => void;
};

/** Where a run stands. */
export type Progress = {
  phase: "setup" | "running" | "teardown" | "ended";
  elapsedMs: number;
  plannedMs: number;
  busyVus: number;
  complete: number;
  interrupted: number;
  dropped: number;
};

export type Outcome = { verdicts: Verdict[]; setupData: unknown; elapsedMs: number; error: Error | undefined };

const judgeEveryMs = 2_000; // as k6 does
const vusEveryMs = 1_000;

/** One run of a script, from setup to teardown. */
export function createRun({ functions, options, metrics, thresholds, current, warn }: RunOptions) {
  const stops = new Set<Interruption>();
  const aborted = new Set<Threshold>();
  const progress: Progress = {
    phase: "setup",
    elapsedMs: 0,
    plannedMs: Math.max(...Object.values(options.scenarios).map((one) => one.startTime + spanMs(one))),
    busyVus: 0,
    complete: 0,
    interrupted: 0,
    dropped: 0,
  };
  let vuIds = 0;
  let startMs = 0;
  let stopped = false;
  let fatal: Error | undefined;

  const elapsedMs = () => (startMs === 0 ? 0 : performance.now() - startMs);
  const newVu = (): Vu => {
    const vu = createVu(++vuIds, !options.noConnectionReuse);
    metrics.add("vus_max", vuIds, options.tags);
    return vu;
  };

  /** Ends everything under way. */
  function stop(): void {
    stopped = true;
    for (const one of stops) one.fire();
  }

  async function runOnce(work: Work, iteration: Iteration, data?: unknown): Promise<unknown> {
    const result = await current.enter(iteration, () => work(data));
    await settleCalls(iteration);
    return result;
  }

  /** A failing iteration is told and counts as complete, as in k6; a script that cannot be run this way ends the run. */
  async function toItsEnd(iteration: Promise<unknown>): Promise<true> {
    try {
      await iteration;
    } catch (error) {
      if (error instanceof NotRunnable) {
        fatal ??= error;
        stop();
      } else warn(asError(error).message);
    }
    return true;
  }

  /** Setup or teardown: outside of every scenario, once. A signal ends setup and leaves teardown its time, as in k6. */
  async function lifecycle(name: "setup" | "teardown", timeoutMs: number, data?: unknown): Promise<unknown> {
    const work = functions[name];
    if (!work) return undefined;
    const interruption = createInterruption();
    const tags = { ...options.tags, group: `::${name}` };
    const iteration = { vu: createVu(0, true), number: 0, tags, interruption, calls: [] };
    const interrupted = new Promise<undefined>((resolve) => interruption.on(() => resolve(undefined)));
    if (name === "setup") stops.add(interruption);
    try {
      return await within(name, timeoutMs, Promise.race([runOnce(work, iteration, data), interrupted]));
    } finally {
      interruption.fire();
    }
  }

  async function runScenario([name, scenario]: [string, Scenario], data: unknown): Promise<void> {
    const work = functions[scenario.exec] as Work;
    const tags: Tags = { ...options.tags, group: "", scenario: name, ...scenario.tags };
    const interruption = createInterruption();
    stops.add(interruption);
    const underWay = new Set<Promise<void>>();

    async function iterate(vu: Vu, dueMs: number): Promise<void> {
      const startedMs = performance.now();
      metrics.add("runner_start_lag", Math.max(0, startedMs - dueMs), tags);
      metrics.add("vus", ++progress.busyVus, tags);
      const iteration = { vu, number: vu.iterations++, tags, interruption, calls: [] };
      const interrupted = Promise.withResolvers<false>();
      const forget = interruption.on(() => interrupted.resolve(false));
      const complete = await Promise.race([toItsEnd(runOnce(work, iteration, data)), interrupted.promise]);
      forget();
      progress.busyVus -= 1;
      progress[complete ? "complete" : "interrupted"] += 1;
      if (!complete) return;
      metrics.add("iterations", 1, tags);
      metrics.add("iteration_duration", performance.now() - startedMs, tags);
    }

    await delay(scenario.startTime, interruption);
    if (!interruption.fired) {
      await execute(scenario, {
        createVu: newVu,
        iterate(vu, dueMs) {
          const one = iterate(vu, dueMs).finally(() => underWay.delete(one));
          underWay.add(one);
          return one;
        },
        drop(count) {
          progress.dropped += count;
          metrics.add("dropped_iterations", count, tags);
        },
        interruption,
      });
      const quiet = async () => {
        while (underWay.size > 0) await Promise.all(underWay);
      };
      await Promise.race([quiet(), delay(scenario.gracefulStop, interruption)]);
    }
    interruption.fire();
    await Promise.all(underWay);
  }

  /** A threshold that has ended the run stays crossed, whatever came after. */
  const judge = (): Verdict[] =>
    thresholds.map((one) => {
      const verdict = one.judge(elapsedMs());
      return { ...verdict, ok: verdict.ok && !aborted.has(one) };
    });

  function abortWhenCrossed(): void {
    for (const one of thresholds) {
      const { abortAfterMs = Number.POSITIVE_INFINITY, series } = one;
      if (elapsedMs() >= abortAfterMs && series.sampled && !one.judge(elapsedMs()).ok) aborted.add(one);
    }
    if (aborted.size > 0) stop();
  }

  async function start(): Promise<Outcome> {
    let setupData: unknown;
    const timers = [
      setInterval(() => startMs > 0 && abortWhenCrossed(), judgeEveryMs),
      setInterval(() => metrics.add("vus", progress.busyVus, options.tags), vusEveryMs),
    ];
    try {
      if (!stopped) setupData = asJson(await lifecycle("setup", options.setupTimeout));
      if (!stopped) {
        progress.phase = "running";
        startMs = performance.now();
        await Promise.all(Object.entries(options.scenarios).map((one) => runScenario(one, setupData)));
        progress.phase = "teardown";
        await lifecycle("teardown", options.teardownTimeout, setupData);
      }
    } catch (error) {
      fatal ??= asError(error);
      stop();
    } finally {
      await new Promise(setImmediate); // until then what a script rejected and did not await has been told
      for (const timer of timers) clearInterval(timer);
      progress.phase = "ended";
    }
    return { verdicts: judge(), setupData, elapsedMs: elapsedMs(), error: fatal };
  }

  return { start, stop, progress: (): Progress => ({ ...progress, elapsedMs: elapsedMs() }) };
}

/** As k6 hands setup's result on: what JSON keeps of it. */
const asJson = (data: unknown): unknown => (data === undefined ? undefined : JSON.parse(JSON.stringify(data)));
