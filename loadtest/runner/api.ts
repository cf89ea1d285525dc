import { createHttp, type HttpDependencies } from "./http.ts";
import type { MetricType, Tags } from "./metrics.ts";
import { NotRunnable } from "./subset.ts";
import { handOut } from "./vu.ts";

export type CheckCount = { passes: number; fails: number };

/** The modules a script may import, and what its checks have counted. */
export function createApi(dependencies: HttpDependencies) {
  const { current, metrics } = dependencies;
  const checks = new Map<string, CheckCount>();

  function check<T>(value: T, sets: Record<string, unknown>, tags: Tags = {}): boolean {
    const iteration = current.require("check");
    let all = true;
    for (const [name, test] of Object.entries(sets)) {
      const count = checks.get(name) ?? { passes: 0, fails: 0 };
      checks.set(name, count);
      let passed = false;
      try {
        const result: unknown = typeof test === "function" ? test(value) : test;
        if (result instanceof Promise) throw new NotRunnable(`Cannot check "${name}": its function is asynchronous`);
        passed = Boolean(result);
      } finally {
        count[passed ? "passes" : "fails"] += 1;
        metrics.add("checks", passed ? 1 : 0, { ...iteration.tags, check: name, ...tags });
      }
      all &&= passed;
    }
    return all;
  }

  function sleep(seconds: number): Promise<void> {
    const iteration = current.require("sleep");
    const slept = new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        forget();
        resolve();
      }, seconds * 1_000);
      const forget = iteration.interruption.on(() => clearTimeout(timer));
    });
    return handOut(iteration, "sleep", true, slept);
  }

  function fail(reason = ""): never {
    current.require("fail");
    throw new Error(reason);
  }

  function metricClass(type: MetricType) {
    return class {
      readonly name: string;
      constructor(name: string, isTime = false) {
        if (current.get()) throw new Error(`Cannot create the metric "${name}": only the top of a script can`);
        metrics.define(name, type, isTime ? "time" : "default");
        this.name = name;
      }
      add(value: number | boolean, tags: Tags = {}): void {
        const iteration = current.require(`${this.name}.add`);
        const sample = Number(value);
        if (Number.isNaN(sample)) throw new Error(`Cannot add "${value}" to ${this.name}: not a number`);
        metrics.add(this.name, sample, { ...iteration.tags, ...tags });
      }
    };
  }

  const http = createHttp(dependencies);
  const modules: Record<string, Record<string, unknown>> = {
    k6: { check, sleep, fail },
    "k6/http": { ...http, default: http },
    "k6/metrics": {
      Counter: metricClass("counter"),
      Gauge: metricClass("gauge"),
      Rate: metricClass("rate"),
      Trend: metricClass("trend"),
    },
  };
  return { modules, checks };
}
