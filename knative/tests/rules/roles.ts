import { describe, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

const reading = new Set(["get", "list", "watch"]);

/** What a person changes by hand, all else is Git's: traffic, which stands in a Service, and what is made anew or may go. */
const byHand: Record<string, readonly string[]> = {
  patch: ["serving.knative.dev/services"],
  delete: ["/pods", "batch/jobs"],
};
const ofTheCluster = /^system:/;

/** Nobody is given a Secret, a way into a pod, or more to change than a night needs; the viewer only reads; roles go to groups of people. */
export const roles: Rule = {
  name: "roles",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) => {
      const { rules = [], roleRef } = manifest;
      const resources = rules.flatMap((rule) => rule.resources);
      const changes = changesOf(manifest);
      const faults = [
        rules.some((rule) => [...rule.apiGroups, ...rule.resources].includes("*")) && "it grants everything",
        resources.includes("secrets") && "it grants Secrets",
        // Whoever may "get" one of exec, attach, portforward and proxy is in.
        resources.some((name) => name.includes("/") && name !== "pods/log") && "it grants a way into a pod",
        ...changes
          .filter(({ verb, resource }) => !byHand[verb]?.includes(resource))
          .map(({ verb, resource }) => `it grants ${verb} of "${resource}"`),
        manifest.metadata.name === "viewer" && changes.length > 0 && "a viewer changes nothing",
        (manifest.subjects ?? []).some(({ kind, name }) => kind !== "Group" || ofTheCluster.test(name)) &&
          "a role is given to groups of people",
        manifest.kind === "RoleBinding" &&
          !manifests.some(({ kind, metadata }) => kind === roleRef?.kind && metadata.name === roleRef.name) &&
          `there is no ${roleRef?.kind} "${roleRef?.name}"`,
      ];
      return refusals(describe(manifest), faults);
    }),
};

/** Every verb that is more than reading, with each of its resources: `batch/jobs`, and `/pods` of Kubernetes' own group. */
const changesOf = ({ rules = [] }: Manifest) =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    verbs
      .filter((verb) => !reading.has(verb))
      .flatMap((verb) =>
        apiGroups.flatMap((group) => resources.map((name) => ({ verb, resource: `${group}/${name}` }))),
      ),
  );
