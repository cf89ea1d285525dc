import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type FunctionName as Name, functionNames as names } from "@shop/dev/shop";
import { parseAllDocuments } from "yaml";

export { type Name, names };
export const namespace = "sre-lab";
/** The label of the namespaces that `cluster:up` or the suite made, and `cluster:down` may delete. */
export const managedBy = { key: "app.kubernetes.io/managed-by", up: "shop-cluster-up", suite: "shop-cluster-tests" };
/** A selector of the jobs that have to be done before a function can be asked; a run of maintenance may fail, the next one makes up for it. */
export const preparingJobs = "app.kubernetes.io/component in (migration, seed)";

/** A copy of the manifests, to be changed before it is applied. */
export type Manifests = AsyncDisposable & {
  /** The folder of environments. */
  readonly environments: string;
  /** Gives images another tag, as a pipeline does in Git. */
  setTag(tag: string, only?: readonly Name[]): Promise<void>;
  /**
   * Leaves out the namespaces that are somebody else's; the calls of kubectl that make the others and give them their owner's label
   * {@link managedBy}. It is set beside, as a later apply by hand would take off what it does not hold.
   */
  takeNamespaces(foreign: readonly string[], owner: string): Promise<string[][]>;
};

const folder = fileURLToPath(new URL("..", import.meta.url));
const parts = ["cluster", "environments", ...names];

export async function copyManifests(): Promise<Manifests> {
  const copy = await mkdtemp(join(tmpdir(), "shop-manifests-"));
  for (const part of parts) await cp(join(folder, part), join(copy, part), { recursive: true });
  const environments = join(copy, "environments");
  return {
    environments,
    async setTag(tag, only = names) {
      for (const name of only) {
        const path = join(environments, "local/images", `${name}.yaml`);
        const text = await readFile(path, "utf8");
        await writeFile(path, text.replace(/^( +image: [a-z]+):.*$/m, `$1:${tag}`));
      }
    },
    async takeNamespaces(foreign, owner) {
      const path = join(copy, "cluster/namespace.yaml");
      const all = parseAllDocuments(await readFile(path, "utf8"));
      const nameOf = (document: (typeof all)[number]) => `${document.getIn(["metadata", "name"])}`;
      const ours = all.filter((document) => !foreign.includes(nameOf(document)));
      await writeFile(path, ours.join("---\n"));
      return [
        ["apply", "--filename", path],
        ["label", "namespace", ...ours.map(nameOf), `${managedBy.key}=${owner}`, "--overwrite"],
      ];
    },
    async [Symbol.asyncDispose]() {
      await rm(copy, { recursive: true, force: true });
    },
  };
}
