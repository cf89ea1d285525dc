import { shop } from "@shop/dev/shop";
import { coreServices, describe, type Manifest } from "../manifest.ts";
import { selects } from "../network.ts";
import { functionOf } from "../project.ts";
import { type Build, type Rule, refusals } from "../rule.ts";

/** There is one server, it keeps its data, and each owner's URL names it, its own login, password and database. */
export const database: Rule = {
  name: "database",
  check: (build) => [
    ...shop.filter(({ ownsData }) => ownsData).flatMap(({ name }) => urlFaults(name, build)),
    ...build.manifests.filter(({ kind }) => kind === "StatefulSet").flatMap(serverFaults),
  ],
};

function urlFaults(owner: string, { manifests, pods }: Build): string[] {
  const servers = pods.filter((pod) => functionOf(pod) === undefined);
  const hosts = [
    ...coreServices(manifests)
      .filter(({ spec }) => spec?.ports?.some(({ port }) => port === 5432))
      .filter(({ spec }) =>
        servers.some(({ labels }) => spec?.selector && selects({ matchLabels: spec.selector }, labels)),
      )
      .map(({ metadata }) => metadata.name),
    ...manifests.filter(({ kind }) => kind === "Cluster").map(({ metadata }) => `${metadata.name}-rw`),
  ];
  const { url, password } = secretOf(`${owner}-database`, manifests);
  const isGood = hosts.some(
    (host) => url === `postgres://${owner}:${password}@${host}.sre-lab.svc.cluster.local:5432/${owner}`,
  );
  return isGood
    ? []
    : [`Cannot accept the Secret "${owner}-database": its url is not that of "${owner}" on the server`];
}

/** As it stands in Git, or as External Secrets will make it. */
function secretOf(name: string, manifests: readonly Manifest[]): Record<string, string> {
  const secret = manifests.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name);
  const decoded = Object.entries(secret?.data ?? {}).map(([key, text]) => [key, atob(text)]);
  const external = manifests.find(({ kind, spec }) => kind === "ExternalSecret" && spec?.target?.name === name);
  return { ...Object.fromEntries(decoded), ...external?.spec?.target?.template?.data };
}

function serverFaults(server: Manifest): string[] {
  const { replicas = 1, volumeClaimTemplates = [] } = server.spec ?? {};
  const faults = [
    replicas !== 1 && "two of it would be two databases",
    volumeClaimTemplates.length === 0 && "its data ends with its pod",
  ];
  return refusals(describe(server), faults);
}
