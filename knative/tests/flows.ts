import { functionNames } from "@shop/dev/shop";
import type { Actor, Port } from "./network.ts";

/** Who is outside of sre-lab, with the labels that its own manifests give it. */
export const outsiders: readonly Actor[] = [
  { name: "activator", namespace: "knative-serving", labels: { app: "activator" } },
  { name: "autoscaler", namespace: "knative-serving", labels: { app: "autoscaler" } },
  { name: "kourier", namespace: "kourier-system", labels: { app: "3scale-kourier-gateway" } },
  { name: "kourier of the operator", namespace: "knative-serving", labels: { app: "3scale-kourier-gateway" } },
  { name: "prometheus", namespace: "monitoring", labels: { "app.kubernetes.io/name": "prometheus" } },
  { name: "grafana", namespace: "monitoring", labels: { "app.kubernetes.io/name": "grafana" } },
  { name: "collector", namespace: "tracing", labels: { "app.kubernetes.io/name": "opentelemetry-collector" } },
  { name: "dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" } },
  { name: "cloudnative-pg", namespace: "cnpg-system", labels: { "app.kubernetes.io/name": "cloudnative-pg" } },
  { name: "dns cache of the node", address: "169.254.20.10", labels: {} },
  { name: "internet", address: "203.0.113.1", labels: {} },
  { name: "internet by IPv6", address: "2001:db8::1", labels: {} },
  { name: "metadata of the cloud", address: "169.254.169.254", labels: {} },
  { name: "node", address: "10.0.0.1", labels: {} },
];

/** The pods among them, once more in a namespace whose labels open nothing: anybody may label his own. */
export const strangersLike = (actors: readonly Actor[]): Actor[] =>
  actors
    .filter(({ address }) => !address)
    .map((one) => ({ ...one, name: `stranger like ${one.name}`, namespace: "default" }));

/** Every port that somebody listens on, and two that nobody does: who opens everything opens these. */
export const ports: readonly Port[] = [
  ...(["53", "53/UDP", "443", "4318", "5432", "6443", "8000", "8012", "8022", "8080", "8081", "8112"] as const),
  ...(["9090", "9091", "9187", "12345", "12345/UDP"] as const),
];

const names = (actors: readonly Actor[]) => actors.map(({ name }) => name);
const callers = ["frontend", "gateway", "orders", "orders settle"];
const ingress = ["activator", "kourier", "kourier of the operator"];

const ownersAndJobs = (actors: readonly string[]) =>
  actors.filter((name) => /^(orders|inventory|users)( |$)/.test(name));

/** Every connection that may be made, of the actors in sre-lab and the ones outside; whatever is not here may not. */
export function expectedFlows(insiders: readonly Actor[], { production }: { production: boolean }): Set<string> {
  const actors = names(insiders);
  const flows = new Set<string>();
  const add = (from: readonly string[], to: readonly string[], on: readonly Port[]) => {
    for (const one of from) for (const other of to) for (const port of on) flows.add(`${one} → ${other}:${port}`);
  };
  add(actors, ["dns cache of the node"], ["53", "53/UDP"]);
  add(actors, ["dns"], ["53", "53/UDP"]);
  add(ingress, functionNames, ["8012", "8112"]);
  add(["autoscaler"], functionNames, ["9090"]);
  add(["prometheus"], functionNames, ["8080"]);
  add(callers, ["kourier", "kourier of the operator"], ["8081"]);
  add([...functionNames, "orders settle"], ["collector"], ["4318"]);
  add(ownersAndJobs(actors), ["postgres"], ["5432"]);
  if (production) {
    add(["cloudnative-pg", "postgres"], ["postgres"], ["5432", "8000"]);
    const others = [...outsiders, ...strangersLike([...insiders, ...outsiders])];
    add(["postgres"], names(others), ["443", "6443"]);
  }
  return flows;
}
