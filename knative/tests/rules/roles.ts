import { describe } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const reading = new Set(["get", "list", "watch"]);

/** Whoever makes a pod, or a role, can be whom he likes; whoever is let into one already is. */
const waysIn = /^(pods\/(exec|attach|portforward|ephemeralcontainers|proxy)|serviceaccounts\/token)$/;
const makers = /^(pods|podtemplates|replicationcontrollers|replicasets|deployments|statefulsets|daemonsets)$/;
const ofTheCluster = /^system:/;
const changes = (verbs: readonly string[]) => verbs.some((verb) => verb !== "delete" && !reading.has(verb));

/** Nobody is given a Secret, a way into a pod, rights to give, or everything; the viewer only reads; roles go to groups of people. */
export const roles: Rule = {
  name: "roles",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) => {
      const { rules = [], roleRef } = manifest;
      const resources = rules.flatMap((rule) => rule.resources);
      const faults = [
        rules.some((rule) => [...rule.apiGroups, ...rule.resources, ...rule.verbs].includes("*")) &&
          "it grants everything",
        resources.includes("secrets") && "it grants Secrets",
        resources.some((name) => waysIn.test(name)) && "it grants a way into a pod",
        rules.some(({ resources, verbs }) => resources.some((name) => makers.test(name)) && changes(verbs)) &&
          "it grants pods of one's own",
        rules.some(({ verbs }) => verbs.some((verb) => ["escalate", "bind", "impersonate"].includes(verb))) &&
          "it grants rights to give",
        manifest.metadata.name === "viewer" &&
          rules.some(({ verbs }) => verbs.some((verb) => !reading.has(verb))) &&
          "a viewer changes nothing",
        (manifest.subjects ?? []).some(({ kind, name }) => kind !== "Group" || ofTheCluster.test(name)) &&
          "a role is given to groups of people",
        manifest.kind === "RoleBinding" &&
          !manifests.some(({ kind, metadata }) => kind === roleRef?.kind && metadata.name === roleRef.name) &&
          `there is no ${roleRef?.kind} "${roleRef?.name}"`,
      ];
      return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(manifest)}: ${fault}`);
    }),
};
