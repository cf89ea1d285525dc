import { describe, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

/**
 * Where CloudNativePG runs the server, what was answered outlives an instance, and one instance less stops nothing.
 * @see https://cloudnative-pg.io/docs/1.30/failover#failover-quorum-quorum-based-failover
 */
export const durability: Rule = {
  name: "durability",
  check: ({ manifests }) => manifests.filter(({ kind }) => kind === "Cluster").flatMap(faultsOf),
};

function faultsOf(cluster: Manifest): string[] {
  const { instances = 1, storage, affinity, postgresql: { synchronous } = {} } = cluster.spec ?? {};
  const { number = 0, dataDurability, failoverQuorum } = synchronous ?? {};
  const faults = [
    !storage?.size && "it has nowhere to keep its data",
    dataDurability !== "required" && "a commit is answered that one instance alone has",
    failoverQuorum !== true && "an instance without the latest commits may take over",
    affinity?.podAntiAffinityType !== "required" && "two instances may be lost with one node",
    instances < number + 2 && "with one instance gone nothing is written",
  ];
  return refusals(describe(cluster), faults);
}
