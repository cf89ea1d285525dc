import { createApi } from "./api.ts";
import type { createHttp } from "./http.ts";
import { createMetrics } from "./metrics.ts";
import { readOptions } from "./options.ts";
import { createRun, type Functions } from "./run.ts";
import { readThresholds } from "./thresholds.ts";
import { createCurrent } from "./vu.ts";

type Modules = {
  http: ReturnType<typeof createHttp>;
  check: (value: unknown, sets: Record<string, unknown>) => boolean;
  sleep: (seconds: number) => Promise<void>;
  Counter: new (name: string) => { add(value: number, tags?: Record<string, string>): void };
};

/** A run in this process: `write` is the script, and gets what it would import. */
export function prepare(options: Record<string, unknown>, write: (modules: Modules) => Functions) {
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  const metrics = createMetrics();
  const current = createCurrent();
  const read = readOptions(options);
  const { modules, checks } = createApi({ current, metrics, settings: () => read, warn });
  const functions = write({ http: modules["k6/http"]?.default, ...modules.k6, ...modules["k6/metrics"] } as Modules);
  const thresholds = readThresholds(read.thresholds, metrics);
  const run = createRun({ functions, options: read, metrics, thresholds, current, warn });
  let elapsedMs = 0;
  return {
    ...run,
    checks,
    warnings,
    async start() {
      const outcome = await run.start();
      elapsedMs = outcome.elapsedMs;
      return outcome;
    },
    /** What a series says, such as `value("http_reqs{scenario:a}", "count")`. */
    value: (selector: string, method: string) => metrics.select(selector).sink.aggregate(method, elapsedMs),
    select: metrics.select,
  };
}

export const perVu = (more: Record<string, unknown> = {}) => ({ executor: "per-vu-iterations", ...more });
