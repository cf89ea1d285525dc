/** A run's figures, as k6 gives them to `handleSummary`. */
export type SummaryData = {
  root_group: { name: string; path: string; checks: { name: string; path: string; passes: number; fails: number }[] };
  options: { summaryTrendStats: string[] };
  state: { testRunDurationMs: number; isStdOutTTY: boolean };
  metrics: Record<string, MetricData>;
  setup_data?: unknown;
};

export type MetricData = {
  type: string;
  contains: string;
  values: Record<string, number>;
  thresholds?: Record<string, { ok: boolean }>;
};

export type SummaryExtras = {
  /** Where the data go as JSON. */
  file?: string | undefined;
  /** What the script itself has to say. */
  lines?: readonly string[];
};

/** What `handleSummary` answers: text for people, and JSON for programs. */
export function summarize(data: SummaryData, { file, lines = [] }: SummaryExtras = {}): Record<string, string> {
  return { stdout: summaryText(data, lines), ...(file ? { [file]: JSON.stringify(data, null, 2) } : {}) };
}

/** The summary, laid out much as k6 does. */
function summaryText({ metrics, root_group, state }: SummaryData, lines: readonly string[]): string {
  const names = Object.keys(metrics).sort();
  return [
    "",
    ...section(
      "THRESHOLDS",
      names.flatMap((name) => thresholdLines(name, metrics[name])),
    ),
    ...section("CHECKS", root_group.checks.map(checkLine)),
    ...section(
      "RESULTS",
      names.map((name) => metricLine(name, metrics[name])),
    ),
    ...section("", [...lines, `after ${time(state.testRunDurationMs)}`]),
    "",
  ].join("\n");
}

const section = (title: string, lines: string[]): string[] =>
  lines.length === 0 ? [] : [...(title ? [`  ${title}`, ""] : []), ...lines.map((line) => `    ${line}`), ""];

function thresholdLines(name: string, metric: MetricData | undefined): string[] {
  if (!metric?.thresholds) return [];
  return [
    name,
    ...Object.entries(metric.thresholds).map(([expression, { ok }]) => {
      const [method = ""] = /^\s*[a-z]+(\([\d.]+\))?/.exec(expression) ?? [];
      const value = metric.values[method.trim()];
      const observed = value === undefined ? "" : ` ${method.trim()}=${show(metric, method.trim(), value)}`;
      return `${ok ? "✓" : "✗"} '${expression}'${observed}`;
    }),
  ];
}

function checkLine({ name, passes, fails }: { name: string; passes: number; fails: number }): string {
  if (fails === 0) return `✓ ${name}`;
  return `✗ ${name}: ${percent(passes / (passes + fails))}, ${passes} passed, ${fails} failed`;
}

const nameWidth = 42;

function metricLine(name: string, metric: MetricData | undefined): string {
  if (!metric) return name;
  const [, part] = /\{(.*)\}$/.exec(name) ?? [];
  const label = part === undefined ? name : `  { ${part} }`;
  return `${label.padEnd(nameWidth, ".")}: ${valueText(metric)}`;
}

function valueText(metric: MetricData): string {
  const { values, type } = metric;
  const at = (name: string): number => values[name] ?? 0;
  if (type === "counter") return `${show(metric, "count", at("count"))} ${show(metric, "rate", at("rate"))}/s`;
  if (type === "rate") return `${percent(at("rate"))} ${at("passes")} out of ${at("passes") + at("fails")}`;
  if (type === "gauge") return `${at("value")} min=${at("min")} max=${at("max")}`;
  return Object.entries(values)
    .map(([stat, value]) => `${stat}=${show(metric, stat, value)}`)
    .join(" ");
}

function show({ type, contains }: MetricData, stat: string, value: number): string {
  if (type === "rate") return percent(value);
  if (contains === "time" && stat !== "count") return time(value);
  if (contains === "data") return bytes(value);
  return `${Math.round(value * 1_000_000) / 1_000_000}`;
}

const percent = (share: number): string => `${(Math.floor(share * 10_000) / 100).toFixed(2)}%`;

function time(ms: number): string {
  if (ms >= 60_000) return `${Math.floor(ms / 60_000)}m${((ms % 60_000) / 1_000).toFixed(1)}s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)}s`;
  return ms >= 1 || ms === 0 ? `${Math.round(ms * 100) / 100}ms` : `${Math.round(ms * 1_000)}µs`;
}

function bytes(count: number): string {
  if (count >= 1_000_000) return `${(count / 1_000_000).toFixed(1)} MB`;
  return count >= 1_000 ? `${(count / 1_000).toFixed(1)} kB` : `${Math.round(count)} B`;
}
