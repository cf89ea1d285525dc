import { describe } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const names = ["sre-lab", "argocd", "monitoring", "logging", "tracing"];

/** Every namespace is there and says how strict it is, in which version of the standard; every object says where it belongs. */
export const namespaces: Rule = {
  name: "namespaces",
  check: ({ manifests }) => {
    const found = manifests.filter(({ kind }) => kind === "Namespace");
    return [
      ...names
        .filter((name) => !found.some(({ metadata }) => metadata.name === name))
        .map((name) => `Cannot accept the environment: there is no namespace "${name}"`),
      ...found
        .filter(
          ({ metadata }) => !/^v1\.\d+$/.test(metadata.labels?.["pod-security.kubernetes.io/enforce-version"] ?? ""),
        )
        .map((namespace) => `Cannot accept ${describe(namespace)}: the version of Pod Security is not pinned`),
      ...found
        .filter(({ metadata }) => metadata.name === "sre-lab")
        .filter(({ metadata }) => metadata.labels?.["pod-security.kubernetes.io/enforce"] !== "restricted")
        .map((namespace) => `Cannot accept ${describe(namespace)}: Pod Security should be restricted`),
      ...manifests
        .filter(({ kind, metadata }) => kind !== "Namespace" && metadata.namespace !== "sre-lab")
        .map((manifest) => `Cannot accept ${describe(manifest)}: it should be in "sre-lab"`),
    ];
  },
};
