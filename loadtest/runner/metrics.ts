export type MetricType = "counter" | "gauge" | "rate" | "trend";
export type Contains = "default" | "time" | "data";
export type Tags = Readonly<Record<string, string>>;

/** Takes the samples of one series and answers what a threshold or a summary may ask of it; undefined for what its type does not know. */
export type Sink = {
  add(value: number): void;
  aggregate(method: string, elapsedMs: number): number | undefined;
};

export type Series = { name: string; type: MetricType; contains: Contains; sink: Sink; sampled: boolean };

type Metric = Series & { parts: (Series & { tags: Tags })[] };

export type Metrics = ReturnType<typeof createMetrics>;

/** The metrics that every run has, named and typed as in k6 (docs: using-k6/metrics/reference); the last is the runner's own. */
const builtIn: readonly [string, MetricType, Contains?][] = [
  ["checks", "rate"],
  ["http_req_duration", "trend", "time"],
  ["http_req_blocked", "trend", "time"],
  ["http_req_connecting", "trend", "time"],
  ["http_req_tls_handshaking", "trend", "time"],
  ["http_req_sending", "trend", "time"],
  ["http_req_waiting", "trend", "time"],
  ["http_req_receiving", "trend", "time"],
  ["http_req_failed", "rate"],
  ["http_reqs", "counter"],
  ["iteration_duration", "trend", "time"],
  ["iterations", "counter"],
  ["dropped_iterations", "counter"],
  ["vus", "gauge"],
  ["vus_max", "gauge"],
  ["data_received", "counter", "data"],
  ["data_sent", "counter", "data"],
  ["runner_start_lag", "trend", "time"],
];

const namePattern = /^[A-Za-z_]\w{0,127}$/;

export function createMetrics() {
  const metrics = new Map<string, Metric>();

  /** Declares a metric; a second declaration of the same name must agree. */
  function define(name: string, type: MetricType, contains: Contains = "default"): void {
    if (!namePattern.test(name)) throw new Error(`Cannot define the metric "${name}": not a name`);
    const known = metrics.get(name);
    if (known && (known.type !== type || known.contains !== contains)) {
      throw new Error(`Cannot define the metric "${name}": it is a ${known.type} already`);
    }
    if (!known) metrics.set(name, { name, type, contains, sink: sinks[type](), sampled: false, parts: [] });
  }

  /** The series of a selector, a metric's name or a part of it such as `http_reqs{scenario:hold,status:200}`. */
  function select(selector: string): Series {
    const [, name = "", list] = /^([^{]+)(?:\{(.*)\})?$/.exec(selector) ?? [];
    const metric = metrics.get(name);
    if (!metric) throw new Error(`Cannot find the metric "${selector}": nobody defines it`);
    if (list === undefined) return metric;
    const known = metric.parts.find((part) => part.name === selector);
    if (known) return known;
    const tags = readTags(selector, list);
    const part = { ...metric, name: selector, sink: sinks[metric.type](), sampled: false, tags };
    metric.parts.push(part);
    return part;
  }

  for (const [name, type, contains] of builtIn) define(name, type, contains);
  select("http_req_duration{expected_response:true}"); // k6 shows it unasked

  return {
    define,
    select,
    add(name: string, value: number, tags: Tags): void {
      const metric = metrics.get(name);
      if (!metric) throw new Error(`Cannot add to the metric "${name}": nobody defines it`);
      sample(metric, value);
      for (const part of metric.parts) if (carries(tags, part.tags)) sample(part, value);
    },
    /** Every series, a metric before its parts. */
    all: (): Series[] => [...metrics.values()].flatMap((metric) => [metric, ...metric.parts]),
  };
}

function sample(series: Series, value: number): void {
  series.sampled = true;
  series.sink.add(value);
}

const carries = (tags: Tags, wanted: Tags): boolean =>
  Object.entries(wanted).every(([key, value]) => tags[key] === value);

function readTags(selector: string, list: string): Tags {
  const pairs = list.split(",").map((pair) => /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(pair));
  if (pairs.some((pair) => !pair)) {
    throw new Error(`Cannot find the metric "${selector}": its tags should be such as {scenario:hold,status:200}`);
  }
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", (pair?.[2] ?? "").replace(/^(["'])(.*)\1$/, "$2")]));
}

const sinks: Record<MetricType, () => Sink> = {
  counter() {
    let count = 0;
    return {
      add(value) {
        count += value;
      },
      aggregate(method, elapsedMs) {
        if (method === "count") return count;
        if (method === "rate") return elapsedMs > 0 ? (count / elapsedMs) * 1_000 : 0;
        return undefined;
      },
    };
  },
  gauge() {
    let value = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    return {
      add(sample) {
        value = sample;
        min = Math.min(min, sample);
        max = Math.max(max, sample);
      },
      aggregate(method) {
        if (method === "value") return value;
        if (method === "min") return Math.min(min, value);
        if (method === "max") return Math.max(max, value);
        return undefined;
      },
    };
  },
  rate() {
    let passes = 0;
    let fails = 0;
    return {
      add(value) {
        if (value === 0) fails += 1;
        else passes += 1;
      },
      aggregate(method) {
        if (method === "rate") return passes + fails === 0 ? 0 : passes / (passes + fails);
        if (method === "passes") return passes;
        if (method === "fails") return fails;
        return undefined;
      },
    };
  },
  trend() {
    const values: number[] = [];
    let sorted: Float64Array | undefined; // sorts a million numbers in a twentieth of what an array takes
    let sum = 0;
    return {
      add(value) {
        values.push(value);
        sum += value;
        sorted = undefined;
      },
      aggregate(method) {
        sorted ??= Float64Array.from(values).sort();
        if (method === "count") return values.length;
        if (method === "avg") return values.length === 0 ? 0 : sum / values.length;
        if (method === "min") return sorted[0] ?? 0;
        if (method === "max") return sorted.at(-1) ?? 0;
        if (method === "med") return percentile(sorted, 50);
        const [, percent] = /^p\(([\d.]+)\)$/.exec(method) ?? [];
        return percent === undefined ? undefined : percentile(sorted, Number(percent));
      },
    };
  },
};

/** Between the two nearest ranks by distance, as k6 and numpy's default have it; 0 of nothing. */
function percentile(sorted: Float64Array, percent: number): number {
  const place = (sorted.length - 1) * (percent / 100);
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? 0;
  return below + (above - below) * (place - Math.floor(place));
}
