import { shop } from "@shop/dev/shop";
import { containersOf, type EnvVar } from "../manifest.ts";
import { functionOf, type Pod, prepares } from "../project.ts";
import { type Rule, refusals } from "../rule.ts";

/** OpenTelemetry's collector, by its Service in `tracing`. */
const collector = "http://collector.tracing.svc.cluster.local:4318";

/** Every pod of a function, jobs too, has the variables that its configuration reads: the peers', the database's, the collector's; and no secret but its own. */
export const environment: Rule = {
  name: "environment",
  check: ({ pods }) => pods.filter((pod) => functionOf(pod) !== undefined).flatMap(faultsOf),
};

function faultsOf(pod: Pod): string[] {
  const found = shop.find(({ name }) => name === functionOf(pod));
  if (!found) return [`Cannot accept ${pod.of}: "${functionOf(pod)}" is no function of the shop`];
  const [container] = pod.spec.containers;
  const env = container?.env ?? [];
  const value = (name: string) => env.find((variable) => variable.name === name)?.value;
  const peers = Object.entries(prepares(pod) ? {} : found.peers).filter(
    ([name, peer]) => value(name) !== `http://${peer}.${pod.namespace}.svc.cluster.local`,
  );
  const spans = !prepares(pod);
  const { name: containerName = "user-container" } = container ?? {}; // which is what Knative calls one without a name
  const attributes = `service.namespace=${pod.namespace},container.name=${containerName}`;
  const faults = [
    ...peers.map(([name, peer]) => `${name} should be the address of "${peer}" in the cluster`),
    found.ownsData && !isReference(env, found.name) && `DATABASE_URL should come of "${found.name}-database"`,
    spans && value("OTEL_EXPORTER_OTLP_ENDPOINT") !== collector && "its spans go nowhere",
    spans && value("OTEL_RESOURCE_ATTRIBUTES") !== attributes && "its spans can not be told from the queue-proxy's",
    prepares(pod) && env.some(({ name }) => name !== "DATABASE_URL") && "it has a variable that nothing in it reads",
    new Set(env.map(({ name }) => name)).size < env.length && "a variable stands in it twice",
    readsOthers(pod, `${found.name}-database`) && "it reads what is another's, or may change under it",
  ];
  return refusals(pod.of, faults);
}

function isReference(env: readonly EnvVar[], owner: string): boolean {
  const reference = env.find(({ name }) => name === "DATABASE_URL")?.valueFrom?.secretKeyRef;
  return reference?.name === `${owner}-database` && reference.key === "url";
}

/** A revision stays what it was only if nothing but its own Secret is looked up when a pod starts. */
function readsOthers({ spec }: Pod, secret: string): boolean {
  const containers = containersOf(spec);
  const references = containers.flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom ?? []));
  return (
    references.some(({ secretKeyRef }) => secretKeyRef?.name !== secret) ||
    containers.some(({ envFrom }) => envFrom !== undefined) ||
    (spec.volumes ?? []).some((volume) => volume.secret ?? volume.configMap ?? volume.projected)
  );
}
