import { describe } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const reading = new Set(["get", "list", "watch"]);

/** Nobody is given a Secret, a shell in a pod, or everything; the viewer only reads; roles go to groups. */
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
        resources.some((name) => /^pods\/(exec|attach|portforward)$/.test(name)) && "it grants a way into a pod",
        manifest.metadata.name === "viewer" &&
          rules.some(({ verbs }) => verbs.some((verb) => !reading.has(verb))) &&
          "a viewer changes nothing",
        (manifest.subjects ?? []).some(({ kind }) => kind !== "Group") && "a role is given to groups",
        manifest.kind === "RoleBinding" &&
          !manifests.some(({ kind, metadata }) => kind === "Role" && metadata.name === manifest.roleRef?.name) &&
          `there is no role "${manifest.roleRef?.name}"`,
      ];
      return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(manifest)}: ${fault}`);
    }),
};
