import { containersOf } from "../manifest.ts";
import { quantity } from "../quantity.ts";
import type { Build, Rule } from "../rule.ts";

/** All pods at once, each function at its max-scale twice over, fit the namespace's quota, which bounds what every container names and nothing else. */
export const quota: Rule = {
  name: "quota",
  check: (build) => {
    const [quota, another] = build.manifests.filter(({ kind }) => kind === "ResourceQuota");
    const { hard = {}, scopes, scopeSelector } = quota?.spec ?? {};
    const needed = neededBy(build);
    return [
      ...(another ? ["Cannot accept the quota: there is a second one"] : []),
      ...((scopes ?? scopeSelector) ? ["Cannot accept the quota: it counts some pods only"] : []),
      ...Object.entries(needed).flatMap(([resource, count]) => shortage(resource, count, hard[resource])),
      ...Object.keys(hard)
        .filter((resource) => needed[resource] === undefined)
        .map((resource) => `Cannot accept the quota of "${resource}": not every container names it`),
    ];
  },
};

function shortage(resource: string, needed: number, limit: string | undefined): string[] {
  if (limit === undefined) return [`Cannot accept the quota: it says nothing of "${resource}"`];
  return needed <= quantity(limit)
    ? []
    : [`Cannot accept the quota of "${resource}": ${limit}, but ${needed} are needed at max-scale`];
}

function neededBy({ manifests, pods }: Build): Record<string, number> {
  const sum = (side: "requests" | "limits", resource: string) =>
    pods.reduce((total, { spec, countMax }) => {
      const ofPod = containersOf(spec).map(({ resources }) => quantity(resources?.[side]?.[resource] ?? "0"));
      return total + countMax * ofPod.reduce((a, b) => a + b, 0);
    }, 0);
  const claims = manifests.flatMap(({ spec }) => [
    ...(spec?.volumeClaimTemplates ?? []).map((claim) => quantity(claim.spec.resources.requests?.storage ?? "0")),
    ...Array.from({ length: (spec?.instances ?? -1) + 1 }, () => quantity(spec?.storage?.size ?? "0")),
  ]);
  return {
    pods: pods.reduce((total, { countMax }) => total + countMax, 0),
    "requests.cpu": sum("requests", "cpu"),
    "requests.memory": sum("requests", "memory"),
    "limits.memory": sum("limits", "memory"),
    persistentvolumeclaims: claims.length,
    "requests.storage": claims.reduce((a, b) => a + b, 0),
  };
}
