import { describe } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const reading = new Set(["get", "list", "watch"]);

/** Whoever makes a pod, or a role, can be whom he likes; whoever is let into one already is. */
const waysIn = /^pods\/(exec|attach|portforward|ephemeralcontainers|proxy)$/;
const everybody = /^system:(authenticated|unauthenticated|serviceaccounts)/;
const changes = (verbs: readonly string[]) => verbs.some((verb) => verb !== "delete" && !reading.has(verb));

/** Nobody is given a Secret, a way into a pod, rights to give, or everything; the viewer only reads; roles go to groups of people. */
export const roles: Rule = {
  name: "roles",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) => {
      const rules = manifest.rules ?? [];
      const resources = rules.flatMap((rule) => rule.resources);
      const faults = [
        rules.some((rule) => [...rule.apiGroups, ...rule.resources, ...rule.verbs].includes("*")) &&
          "it grants everything",
        resources.includes("secrets") && "it grants Secrets",
        resources.some((name) => waysIn.test(name)) && "it grants a way into a pod",
        rules.some(({ resources, verbs }) => resources.includes("pods") && changes(verbs)) &&
          "it grants pods of one's own",
        rules.some(({ verbs }) => verbs.some((verb) => ["escalate", "bind", "impersonate"].includes(verb))) &&
          "it grants rights to give",
        manifest.metadata.name === "viewer" &&
          rules.some(({ verbs }) => verbs.some((verb) => !reading.has(verb))) &&
          "a viewer changes nothing",
        (manifest.subjects ?? []).some(({ kind, name }) => kind !== "Group" || everybody.test(name)) &&
          "a role is given to groups of people",
        manifest.kind === "RoleBinding" &&
          !manifests.some(({ kind, metadata }) => kind === "Role" && metadata.name === manifest.roleRef?.name) &&
          `there is no role "${manifest.roleRef?.name}"`,
      ];
      return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(manifest)}: ${fault}`);
    }),
};
