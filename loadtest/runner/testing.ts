import type { createHttp } from "./http.ts";
import type { Functions } from "./run.ts";
import { createSession } from "./session.ts";

type Modules = {
  http: ReturnType<typeof createHttp>;
  check: (value: unknown, sets: Record<string, unknown>, tags?: Record<string, string>) => boolean;
  sleep: (seconds: number) => Promise<void>;
  Counter: new (name: string) => { add(value: number, tags?: Record<string, string>): void };
};

/** A run in this process: `write` is the script, and gets what it would import. */
export function prepare(options: Record<string, unknown>, write: (modules: Modules) => Functions) {
  const warnings: string[] = [];
  const { modules, metrics, checks, prepare } = createSession((text) => warnings.push(text));
  const functions = write({ http: modules["k6/http"]?.default, ...modules.k6, ...modules["k6/metrics"] } as Modules);
  const { run } = prepare({ options, functions });
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
