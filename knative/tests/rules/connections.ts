import { shop } from "@shop/dev/shop";
import type { Manifest } from "../manifest.ts";
import { functionOf, type Pod, prepares } from "../project.ts";
import type { Build, Rule } from "../rule.ts";

/** Kept free for the superuser, replication and whoever looks after the server. */
const reserve = 20;

/** Every pod of an owner, twice max-scale as a draining pod keeps its pool, and every job can have all its connections at once. */
export const connections: Rule = {
  name: "connections",
  check: ({ manifests, pods }: Build) => {
    const owners = new Set(shop.filter(({ ownsData }) => ownsData).map(({ name }) => name));
    const clients = pods.filter((pod) => owners.has(functionOf(pod) ?? ""));
    const needed = clients.reduce((total, pod) => total + pod.countMax * connectionsOf(pod), 0);
    const max = connectionsMax(manifests);
    if (max === undefined) return ["Cannot accept the database: max_connections is not set"];
    return needed <= max - reserve
      ? []
      : [`Cannot accept max_connections ${max}: ${needed} and a reserve of ${reserve} are needed at max-scale`];
  },
};

const connectionsOf = (pod: Pod): number => (prepares(pod) ? 1 : poolOf(pod.spec.containers[0]?.env));

const poolOf = (env: { name: string; value?: string }[] | undefined): number =>
  Number(env?.find(({ name }) => name === "DATABASE_CONNECTIONS_MAX")?.value ?? Number.POSITIVE_INFINITY);

function connectionsMax(manifests: readonly Manifest[]): number | undefined {
  const args = manifests.flatMap(
    ({ spec }) => spec?.template?.spec?.containers?.flatMap(({ args }) => args ?? []) ?? [],
  );
  const ofArgs = args.map((arg) => /^max_connections=(\d+)$/.exec(arg)?.[1]).find(Boolean);
  const ofCluster = manifests.map(({ spec }) => spec?.postgresql?.parameters?.max_connections).find(Boolean);
  const text = ofArgs ?? ofCluster;
  return text === undefined ? undefined : Number(text);
}
