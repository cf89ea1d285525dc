import { shop } from "@shop/dev/shop";
import { describe, type Manifest, type Spec } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

const owners = shop.filter(({ ownsData }) => ownsData).map(({ name }) => name);
const hostRules = ["host sameuser all all scram-sha-256", `host all ${owners.toSorted().join(",")} all reject`];
const rights = ["superuser", "createdb", "createrole", "replication", "bypassrls", "inRoles"] as const;

/** Where CloudNativePG runs the server, each owner logs in to its own database and no other. */
export const databaseOwners: Rule = {
  name: "owners",
  check: ({ manifests }) => [
    ...manifests.filter(({ kind }) => kind === "Cluster").flatMap((cluster) => missing(cluster, manifests)),
    ...manifests.flatMap((manifest) =>
      refusals(describe(manifest), faultsOf[manifest.kind]?.(manifest.spec ?? {}) ?? []),
    ),
  ],
};

function missing({ metadata }: Manifest, manifests: readonly Manifest[]): string[] {
  const isThere = (wanted: string, fits: (spec: Spec) => boolean) =>
    manifests.some(({ kind, spec }) => kind === wanted && spec?.cluster?.name === metadata.name && fits(spec));
  const faults = owners.flatMap((owner) => [
    !isThere("Database", (spec) => spec.name === owner && spec.owner === owner) && `"${owner}" owns no database`,
    !isThere(
      "DatabaseRole",
      ({ name, passwordSecret }) => name === owner && passwordSecret?.name === `${owner}-database`,
    ) && `"${owner}" is no login by its own Secret`,
  ]);
  return refusals("the environment", faults);
}

const faultsOf: Record<string, (spec: Spec) => (string | false)[]> = {
  Cluster: ({ postgresql, enableSuperuserAccess, inheritedMetadata }) => [
    inheritedMetadata?.labels?.["app.kubernetes.io/name"] !== undefined && "its operator sets this name itself",
    enableSuperuserAccess === true && "its superuser may come from outside",
    postgresql?.pg_hba?.join("\n") !== hostRules.join("\n") && `pg_hba should be "${hostRules.join('", "')}"`,
  ],
  Database: ({ databaseReclaimPolicy }) => [databaseReclaimPolicy !== "retain" && "its data would go with it"],
  DatabaseRole: (spec) => [
    spec.login !== true && "it can not log in",
    rights.some((right) => spec[right]) && "it has more rights than an owner needs",
  ],
};
