import type { Rule } from "../rule.ts";

const needed = [
  ["requests", "cpu"],
  ["requests", "memory"],
  ["requests", "ephemeral-storage"],
  ["limits", "memory"],
  ["limits", "ephemeral-storage"],
] as const;

/** Every container says what it needs and where it ends; none is throttled, as a throttled start is a slow wake. */
export const resources: Rule = {
  name: "resources",
  check: ({ pods }) =>
    pods.flatMap(({ of, spec }) =>
      spec.containers.flatMap(({ name, resources }) => [
        ...needed
          .filter(([side, resource]) => resources?.[side]?.[resource] === undefined)
          .map(([side, resource]) => `Cannot accept "${name}" of ${of}: no ${resource} in ${side}`),
        ...(resources?.limits?.cpu === undefined ? [] : [`Cannot accept "${name}" of ${of}: a CPU limit`]),
      ]),
    ),
};
