import type { Registry } from "prom-client";
import { metrics as catalogue } from "./catalogue.ts";

/** What `/metrics` can answer with: the Prometheus text format 0.0.4, and OpenMetrics 1.0. */
export const mediaTypes = ["text/plain", "application/openmetrics-text"] as const;
/** One of {@link mediaTypes}. */
export type MediaType = (typeof mediaTypes)[number];

/** The `Content-Type` of each format. */
export const contentTypes: Record<MediaType, string> = {
  "text/plain": "text/plain; version=0.0.4; charset=utf-8",
  "application/openmetrics-text": "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

type ExpositionOptions = { registry: Registry; listeningMs: () => number; now?: () => number };
type Labels = Partial<Record<string, string | number>>;
type Family = { name: string; help: string; type: string; values: Sample[] };
/** prom-client's types know neither the names of a histogram's samples nor exemplars. */
type Sample = { labels: Labels; value: number; metricName?: string; exemplar?: Exemplar | null };
type Exemplar = { labelSet: Labels; value: number; timestamp: number };

/**
 * Writes a registry as text. In OpenMetrics each series of a counter, histogram or summary is followed at once by its `_created`:
 * when it was known to be zero, which is when the registry was last written without it, or when the process began to listen. From that
 * Prometheus counts what came before its first scrape. (prom-client writes no `_created`, and renames counters when asked for OpenMetrics.)
 */
export function createExposition({ registry, listeningMs, now = Date.now }: ExpositionOptions) {
  const createdMs = new Map<string, number>();
  let writtenMs: number | undefined;

  return async (type: MediaType): Promise<string> => {
    const nowMs = now();
    const zeroMs = writtenMs ?? listeningMs();
    const families = (await registry.getMetricsAsJSON()) as unknown as Family[];
    for (const { name, values } of families) {
      for (const { labels } of values) {
        const key = seriesKey(name, labels);
        if (!createdMs.has(key)) createdMs.set(key, zeroMs);
      }
    }
    writtenMs = nowMs;
    if (type === "text/plain") return families.map(writeText).join("");
    return `${families.map((family) => writeOpenMetrics(family, createdMs)).join("")}# EOF\n`;
  };
}

function writeText({ name, help, type, values }: Family): string {
  const head = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  return head + values.map((sample) => `${line(sample.metricName ?? name, sample)}\n`).join("");
}

function writeOpenMetrics({ name, help, type, values }: Family, createdMs: ReadonlyMap<string, number>): string {
  const family = type === "counter" ? name.replace(/_total$/, "") : name;
  const { unit } = (catalogue as Record<string, { unit?: string }>)[name] ?? {};
  let text = `# TYPE ${family} ${type}\n${unit ? `# UNIT ${family} ${unit}\n` : ""}# HELP ${family} ${escapeValue(help)}\n`;
  values.forEach((sample, i) => {
    text += `${line(sample.metricName ?? name, canonical(sample))}${exemplarOf(sample)}\n`;
    const key = seriesKey(name, sample.labels);
    const next = values[i + 1];
    if (type === "gauge" || (next && seriesKey(name, next.labels) === key)) return;
    const value = (createdMs.get(key) ?? 0) / 1000;
    text += `${line(`${family}_created`, { labels: sample.labels, value })}\n`; // its count, which has no bound
  });
  return text;
}

function line(name: string, { labels, value }: Pick<Sample, "labels" | "value">): string {
  return `${name}${writeLabels(labels)} ${writeNumber(value)}`;
}

function exemplarOf({ exemplar }: Sample): string {
  if (!exemplar) return "";
  return ` # ${writeLabels(exemplar.labelSet)} ${writeNumber(exemplar.value)} ${exemplar.timestamp}`;
}

/** A label without a value is no label. */
function writeLabels(labels: Labels): string {
  const pairs = Object.entries(labels).filter(([, value]) => value !== undefined && value !== "");
  return pairs.length === 0
    ? ""
    : `{${pairs.map(([name, value]) => `${name}="${escapeValue(`${value}`)}"`).join(",")}}`;
}

/** The bounds of buckets and quantiles are floats, also when they are whole (OpenMetrics 1.0 §4.4). */
function canonical({ labels, ...sample }: Sample): Sample {
  const { le, quantile } = labels;
  const float = (value: string | number) => (Number.isInteger(value) ? `${value}.0` : value);
  return {
    ...sample,
    labels: {
      ...labels,
      ...(le !== undefined && { le: float(le) }),
      ...(quantile !== undefined && { quantile: float(quantile) }),
    },
  };
}

function withoutBounds({ le, quantile, ...labels }: Labels): Labels {
  return labels;
}

function seriesKey(name: string, labels: Labels): string {
  return `${name} ${JSON.stringify(Object.entries(withoutBounds(labels)).sort())}`;
}

function writeNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : `${value}`;
}

const escapeHelp = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeValue = (text: string) => escapeHelp(text).replaceAll('"', '\\"');
