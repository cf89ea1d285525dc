import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const namespace = "sre-lab";
export const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;
/** The annotation of the shop's namespace that says which namespaces `cluster:up` made, and `cluster:down` may delete. */
export const createdKey = "shop/created";
export type Name = (typeof names)[number];

/** A copy of the manifests, whose images can be given another tag, as a pipeline does in Git. */
export type Manifests = AsyncDisposable & {
  /** The folder of environments. */
  readonly environments: string;
  setTag(tag: string, only?: readonly Name[]): Promise<void>;
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
    async [Symbol.asyncDispose]() {
      await rm(copy, { recursive: true, force: true });
    },
  };
}
