import { describe, type Manifest } from "../manifest.ts";
import type { Rule } from "../rule.ts";

/** node-exporter and the log agent read the node; nobody else has to. */
const levels: Record<string, string> = {
  "sre-lab": "restricted",
  argocd: "restricted",
  monitoring: "privileged",
  logging: "privileged",
  tracing: "restricted",
};

/** The oldest Kubernetes that Knative 1.23 runs on. */
const version = "v1.34";

/** Every namespace is there and says how strict it is, in which version of the standard; every object says where it belongs. */
export const namespaces: Rule = {
  name: "namespaces",
  check: ({ manifests }) => {
    const found = manifests.filter(({ kind }) => kind === "Namespace");
    return [
      ...Object.keys(levels)
        .filter((name) => !found.some(({ metadata }) => metadata.name === name))
        .map((name) => `Cannot accept the environment: there is no namespace "${name}"`),
      ...found.flatMap(faultsOf),
      ...manifests
        .filter(({ kind, metadata }) => kind !== "Namespace" && metadata.namespace !== "sre-lab")
        .map((manifest) => `Cannot accept ${describe(manifest)}: it should be in "sre-lab"`),
    ];
  },
};

function faultsOf(namespace: Manifest): string[] {
  const { name, labels = {} } = namespace.metadata;
  return ["enforce", "warn"].flatMap((mode) => {
    const label = `pod-security.kubernetes.io/${mode}`;
    const wanted = { [label]: levels[name], [`${label}-version`]: version };
    return Object.entries(wanted)
      .filter(([key, value]) => value === undefined || labels[key] !== value)
      .map(([key, value]) => `Cannot accept ${describe(namespace)}: ${key} should be "${value}"`);
  });
}
