import { containersOf } from "../manifest.ts";
import { checks } from "../pod-security.ts";
import type { Rule } from "../rule.ts";

/** Every pod, with what Knative puts beside ours, meets Pod Security "restricted", and its root file system is read-only. */
export const podSecurity: Rule = {
  name: "pod-security",
  check: ({ pods }) =>
    pods.flatMap((pod) => [
      ...checks.filter(({ allows }) => !allows(pod)).map(({ id }) => `Cannot accept a pod of ${pod.of}: ${id}`),
      ...containersOf(pod.spec)
        .filter(({ securityContext }) => securityContext?.readOnlyRootFilesystem !== true)
        .map(({ name }) => `Cannot accept a pod of ${pod.of}: the root file system of "${name}" can be written`),
    ]),
};
