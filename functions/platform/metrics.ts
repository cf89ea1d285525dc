import { Counter, Gauge, Histogram, type Metric, Registry, type RegistryContentType, Summary } from "prom-client";
import { metrics as catalogue, durationBuckets, type MetricName } from "./catalogue.ts";
import { createExposition, type MediaType } from "./exposition.ts";

type Catalogue = typeof catalogue;
type NameOf<T> = { [N in MetricName]: Catalogue[N]["type"] extends T ? N : never }[MetricName];
type LabelOf<N extends MetricName> = Catalogue[N]["labels"][number];

/** The instruments of one function: each by its name in the catalogue, with no labels but those declared there. */
export type Metrics = {
  readonly registry: Registry;
  counter<N extends NameOf<"counter">>(name: N): Counter<LabelOf<N>>;
  gauge<N extends NameOf<"gauge">>(name: N): Gauge<LabelOf<N>>;
  histogram<N extends NameOf<"histogram">>(name: N): Histogram<LabelOf<N>>;
  summary<N extends NameOf<"summary">>(name: N): Summary<LabelOf<N>>;
  /** All of them as text, in one of the two formats. */
  expose(type: MediaType): Promise<string>;
};

type MetricsOptions = {
  service: string;
  /** When the process began to listen, and all series were zero, in Unix milliseconds; asked for at the first exposition. */
  listeningMs: () => number;
};

const summaryWindow = { maxAgeSeconds: 60, ageBuckets: 6, percentiles: [0.5, 0.9, 0.95, 0.99] };

/** A registry of its own for one function; nothing is global. */
export function createMetrics({ service, listeningMs }: MetricsOptions): Metrics {
  const registry = new Registry();
  (registry as Registry<RegistryContentType>).setContentType(Registry.OPENMETRICS_CONTENT_TYPE); // else it takes no exemplars
  registry.setDefaultLabels({ service });

  function instrument(name: MetricName): Metric {
    const { type, help, labels } = catalogue[name];
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    switch (type) {
      case "counter":
        return new Counter(common);
      case "gauge":
        return labels.length > 0 ? new Gauge(common) : unset(new Gauge(common));
      case "histogram":
        return new Histogram({ ...common, buckets: durationBuckets, enableExemplars: true });
      case "summary":
        return new Summary({ ...common, ...summaryWindow });
    }
  }
  const get = <M>(name: MetricName) => (registry.getSingleMetric(name) ?? instrument(name)) as M;

  return {
    registry,
    counter: get,
    gauge: get,
    histogram: get,
    summary: get,
    expose: createExposition({ registry, listeningMs }),
  };
}

/** prom-client shows a gauge without labels as 0 before anybody has looked. */
function unset(gauge: Gauge): Gauge {
  gauge.remove();
  return gauge;
}
