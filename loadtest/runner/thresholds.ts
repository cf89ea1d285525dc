import type { Metrics, MetricType, Series } from "./metrics.ts";
import type { ThresholdOption } from "./options.ts";

const number = String.raw`-?\d+(?:\.\d+)?`;
const pattern = new RegExp(String.raw`^\s*([a-z]+|p\(\s*(${number})\s*\))\s*(<=|>=|===|==|!=|<|>)\s*(${number})\s*$`);

/** What each type can be asked (k6 docs: using-k6/thresholds). */
const methods: Record<MetricType, RegExp> = {
  counter: /^(count|rate)$/,
  gauge: /^value$/,
  rate: /^rate$/,
  trend: /^(avg|min|max|med|p\([\d.]+\))$/,
};

const holds: Record<string, (observed: number, bound: number) => boolean> = {
  "<": (observed, bound) => observed < bound,
  "<=": (observed, bound) => observed <= bound,
  ">": (observed, bound) => observed > bound,
  ">=": (observed, bound) => observed >= bound,
  "==": (observed, bound) => observed === bound,
  "===": (observed, bound) => observed === bound,
  "!=": (observed, bound) => observed !== bound,
};

export type Verdict = { metric: string; expression: string; method: string; observed: number; ok: boolean };

export type Threshold = {
  readonly series: Series;
  /** Whether its failure ends the run at once, so long after the start. */
  readonly abortAfterMs: number | undefined;
  judge(elapsedMs: number): Verdict;
};

/** Reads the thresholds of a script; one that could never be judged is an error before the run, as in k6. */
export function readThresholds(options: Record<string, ThresholdOption[]>, metrics: Metrics): Threshold[] {
  return Object.entries(options).flatMap(([selector, list]) => {
    const series = metrics.select(selector);
    return list.map((option) => readThreshold(option, series));
  });
}

function readThreshold({ threshold, abortOnFail, delayAbortEval }: ThresholdOption, series: Series): Threshold {
  const [, text = "", percent, operator = "", bound = ""] = pattern.exec(threshold) ?? [];
  const method = percent === undefined ? text : `p(${Number(percent)})`;
  const compare = holds[operator];
  const refuse = (why: string) => new Error(`Cannot read the threshold "${threshold}" of ${series.name}: ${why}`);
  if (!compare) throw refuse("should be such as rate<0.01, count==10 or p(95)<=300");
  if (percent !== undefined && !(Number(percent) >= 0 && Number(percent) <= 100)) {
    throw refuse("a percentile lies between 0 and 100");
  }
  if (!methods[series.type].test(method)) throw refuse(`a ${series.type} has no ${method}`);
  return {
    series,
    abortAfterMs: abortOnFail ? delayAbortEval : undefined,
    judge(elapsedMs) {
      const observed = series.sink.aggregate(method, elapsedMs) ?? 0;
      return { metric: series.name, expression: threshold, method, observed, ok: compare(observed, Number(bound)) };
    },
  };
}
