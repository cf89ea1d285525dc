import { shop } from "@shop/dev/shop";
import type { EnvVar } from "../manifest.ts";
import { functionOf, type Pod } from "../project.ts";
import type { Rule } from "../rule.ts";

/** Every pod of a function, jobs too, has the variables that its configuration reads: the peers', the database's, the collector's. */
export const environment: Rule = {
  name: "environment",
  check: ({ pods }) => pods.filter((pod) => functionOf(pod) !== undefined).flatMap(faultsOf),
};

function faultsOf(pod: Pod): string[] {
  const found = shop.find(({ name }) => name === functionOf(pod));
  if (!found) return [`Cannot accept ${pod.of}: "${functionOf(pod)}" is no function of the shop`];
  const env = pod.spec.containers[0]?.env ?? [];
  const value = (name: string) => env.find((variable) => variable.name === name)?.value;
  const peers = Object.entries(found.peers).filter(
    ([name, peer]) => value(name) !== `http://${peer}.${pod.namespace}.svc.cluster.local`,
  );
  const spans = !pod.job || pod.labels["app.kubernetes.io/component"] === "settle";
  const faults = [
    ...peers.map(([name, peer]) => `${name} should be the address of "${peer}" in the cluster`),
    ...(found.ownsData && !isReference(env, found.name)
      ? [`DATABASE_URL should come of "${found.name}-database"`]
      : []),
    ...(spans && !value("OTEL_EXPORTER_OTLP_ENDPOINT")?.endsWith(":4318") ? ["its spans go nowhere"] : []),
    ...(spans && !/service\.namespace=.*container\.name=/.test(value("OTEL_RESOURCE_ATTRIBUTES") ?? "")
      ? ["its spans can not be told from the queue-proxy's"]
      : []),
  ];
  return faults.map((fault) => `Cannot accept ${pod.of}: ${fault}`);
}

function isReference(env: readonly EnvVar[], owner: string): boolean {
  const reference = env.find(({ name }) => name === "DATABASE_URL")?.valueFrom?.secretKeyRef;
  return reference?.name === `${owner}-database` && reference.key === "url";
}
