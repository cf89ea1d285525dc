import { containersOf, describe, type Manifest } from "../manifest.ts";
import type { Pod } from "../project.ts";
import { quantity } from "../quantity.ts";
import type { Rule } from "../rule.ts";

const needed = [
  ["requests", "cpu"],
  ["requests", "memory"],
  ["requests", "ephemeral-storage"],
  ["limits", "memory"],
  ["limits", "ephemeral-storage"],
] as const;

/** Every container says what it needs and where it ends, or is told for memory; none is throttled, as a throttled start is a slow wake. */
export const resources: Rule = {
  name: "resources",
  check: ({ manifests, pods }) => [...pods.flatMap(faultsOf), ...defaultFaults(manifests)],
};

function faultsOf({ of, spec }: Pod): string[] {
  return containersOf(spec).flatMap(({ name, resources: { requests = {}, limits = {} } = {} }) => {
    const faults = [
      ...needed
        .filter(([side, resource]) => !(quantity({ requests, limits }[side][resource] ?? "0") > 0))
        .map(([side, resource]) => `no ${resource} in ${side}`),
      ...Object.entries(requests)
        .filter(([resource, text]) => quantity(text) > quantity(limits[resource] ?? text))
        .map(([resource]) => `more ${resource} in requests than in limits`),
      ...(limits.cpu === undefined ? [] : ["a CPU limit"]),
    ];
    return faults.map((fault) => `Cannot accept "${name}" of ${of}: ${fault}`);
  });
}

/** The quota refuses a container without memory, so that one who says nothing is given some; a default or a bound for CPU becomes a limit. */
function defaultFaults(manifests: readonly Manifest[]): string[] {
  const ranges = manifests.filter(({ kind }) => kind === "LimitRange");
  const isGiven = ranges
    .flatMap(({ spec }) => spec?.limits ?? [])
    .some((item) => item.type === "Container" && item.default?.memory && item.defaultRequest?.memory);
  return [
    ...(isGiven ? [] : ["Cannot accept the environment: no LimitRange gives memory to a container that says nothing"]),
    ...ranges
      .filter(({ spec }) => JSON.stringify(spec).includes('"cpu"'))
      .map((range) => `Cannot accept ${describe(range)}: what it says of CPU becomes a limit`),
  ];
}
