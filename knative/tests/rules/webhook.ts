import { describe, knativeServices, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

/** What Serving takes of a pod only with a feature that is off by default, and off here. */
const featured = new Set([
  ...["affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "schedulerName", "priorityClassName"],
  ...["initContainers", "runtimeClassName", "shareProcessNamespace", "hostIPC", "hostNetwork", "hostPID"],
  ...["hostAliases", "dnsConfig", "dnsPolicy"],
]);

const under = (domain: string, names: string) => names.split(" ").map((name) => `${domain}.knative.dev/${name}`);

/** Of a Service, labels too, and of its template; not the older spellings, which our other rules would not see. */
const serviceKeys = new Set([
  ...under("serving", "rollout-duration"),
  ...under("networking", "visibility ingress-class certificate-class disable-external-domain-tls http-protocol"),
]);
const templateKeys = new Set([
  ...under("autoscaling", "class min-scale max-scale initial-scale activation-scale metric target window"),
  ...under("autoscaling", "scale-down-delay scale-to-zero-pod-retention-period metric-aggregation-algorithm"),
  ...under("autoscaling", "target-utilization-percentage target-burst-capacity"),
  ...under("autoscaling", "panic-window-percentage panic-threshold-percentage"),
  ...under("queue.sidecar.serving", "cpu-resource-request cpu-resource-limit"),
  ...under("queue.sidecar.serving", "memory-resource-request memory-resource-limit"),
  ...under("queue.sidecar.serving", "ephemeral-storage-resource-request ephemeral-storage-resource-limit"),
  ...under("serving", "progress-deadline no-gc"),
  ...under("features", "queueproxy-podinfo http-full-duplex"),
]);

/** container-concurrency-max-limit of Serving's. */
const concurrencyMax = 1_000;

/**
 * What Serving's webhook would refuse on a cluster, or let pass and nobody read.
 * @see https://github.com/knative/serving/tree/knative-v1.23.0/pkg/apis/serving
 */
export const webhook: Rule = {
  name: "webhook",
  check: ({ manifests }) => knativeServices(manifests).flatMap(faultsOf),
};

function faultsOf(service: Manifest): string[] {
  const { template, traffic } = service.spec ?? {};
  const port = template?.spec.containers[0]?.ports?.[0];
  const faults = [
    ...Object.keys(template?.spec ?? {})
      .filter((field) => featured.has(field))
      .map((field) => `"${field}" needs a feature that is off`),
    ...strangers(service.metadata, serviceKeys).map((key) => `Serving knows no "${key}" of a Service`),
    ...strangers(template?.metadata, templateKeys).map((key) => `Serving knows no "${key}" of a template`),
    ...(traffic ? trafficFaults(traffic) : []),
    port?.name !== undefined && !["http1", "h2c"].includes(port.name) && "its port should be named http1 or h2c",
    (port?.protocol ?? "TCP") !== "TCP" && "its port's protocol should be TCP",
    Number(template?.spec.containerConcurrency) > concurrencyMax &&
      `containerConcurrency should be ${concurrencyMax} or less`,
  ];
  return refusals(describe(service), faults);
}

const strangers = ({ annotations, labels }: Partial<Manifest["metadata"]> = {}, known: ReadonlySet<string>) =>
  Object.keys({ ...annotations, ...labels }).filter((key) => key.includes("knative") && !known.has(key));

type Traffic = NonNullable<NonNullable<Manifest["spec"]>["traffic"]>;

const trafficFaults = (traffic: Traffic) => [
  traffic.reduce((sum, { percent = 0 }) => sum + percent, 0) !== 100 && "its traffic should be 100 percent",
  traffic.some(({ latestRevision, revisionName }) => latestRevision !== (revisionName === undefined)) &&
    "its traffic should go to the latest revision, or to one that is named",
];
