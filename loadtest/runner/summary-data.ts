import type { MetricData, SummaryData } from "../summary.ts";
import type { CheckCount } from "./api.ts";
import type { Metrics, Series } from "./metrics.ts";
import type { Verdict } from "./thresholds.ts";

export type SummaryInput = {
  metrics: Metrics;
  checks: ReadonlyMap<string, CheckCount>;
  verdicts: readonly Verdict[];
  trendStats: string[];
  elapsedMs: number;
  setupData: unknown;
  isStdOutTTY: boolean;
};

/** The object that k6 gives to `handleSummary`; metrics without a sample are left out, unless a threshold asks for them. */
export function summaryData(input: SummaryInput): SummaryData {
  const { metrics, checks, verdicts, trendStats, elapsedMs, setupData, isStdOutTTY } = input;
  const stats: Record<Series["type"], string[]> = {
    counter: ["count", "rate"],
    gauge: ["value", "min", "max"],
    rate: ["rate", "passes", "fails"],
    trend: trendStats,
  };
  const read = (series: Series): MetricData => {
    const own = verdicts.filter(({ metric }) => metric === series.name);
    return {
      type: series.type,
      contains: series.contains,
      values: Object.fromEntries(
        stats[series.type].map((stat) => [stat, series.sink.aggregate(stat, elapsedMs) ?? 0] as const),
      ),
      ...(own.length > 0 && {
        thresholds: Object.fromEntries(own.map(({ expression, ok }) => [expression, { ok }])),
      }),
    };
  };
  const isShown = (series: Series) => series.sampled || verdicts.some(({ metric }) => metric === series.name);
  return {
    root_group: {
      name: "",
      path: "",
      checks: [...checks].map(([name, count]) => ({ name, path: `::${name}`, ...count })),
    },
    options: { summaryTrendStats: trendStats },
    state: { testRunDurationMs: elapsedMs, isStdOutTTY },
    metrics: Object.fromEntries(
      metrics
        .all()
        .filter(isShown)
        .map((series) => [series.name, read(series)]),
    ),
    setup_data: setupData,
  };
}
