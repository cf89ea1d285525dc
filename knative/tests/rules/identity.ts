import { type Rule, refusals } from "../rule.ts";

/** Every pod of ours runs as its own account, without a token for the API server and without a list of the others' addresses. */
export const identity: Rule = {
  name: "identity",
  check: ({ manifests, pods }) => {
    const accounts = new Set(
      manifests.filter(({ kind }) => kind === "ServiceAccount").map(({ metadata }) => metadata.name),
    );
    return pods
      .filter(({ of }) => !of.startsWith("Cluster ")) // CloudNativePG makes its own, and its instances need the API server
      .flatMap(({ of, spec }) => {
        const faults = [
          !accounts.has(spec.serviceAccountName ?? "") && `there is no account "${spec.serviceAccountName}"`,
          spec.automountServiceAccountToken !== false && "it gets a token for the API server",
          spec.enableServiceLinks !== false && "it gets every Service's address as variables",
        ];
        return refusals(of, faults);
      });
  },
};
