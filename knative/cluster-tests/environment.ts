import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments, stringify } from "yaml";
import { type Api, kubectl, type Meta, tryKubectl } from "./api.ts";

export const namespace = "sre-lab";
export const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;
export type Name = (typeof names)[number];

/** One operation of a JSON patch (RFC 6902) on the Service of one function, or of all. */
export type Change = { on?: Name; op: "add" | "replace" | "remove"; path: string; value?: unknown };

/** A copy of the manifests whose images have a tag of their own, as a pipeline would write it. */
export type Environment = AsyncDisposable & {
  setTag(tag: string, only?: readonly Name[]): Promise<void>;
  /** Applies the local environment as it stands, or with changes on top. */
  apply(changes?: readonly Change[]): Promise<void>;
  /** What an apply would change; empty when nothing. */
  diff(): Promise<string>;
  /** Deletes all of it that was not there when this copy was made, and waits until it is gone. */
  remove(): Promise<void>;
};

const manifests = fileURLToPath(new URL("..", import.meta.url));
const parts = ["cluster", "environments", ...names];
/** For pods that drain, and for the claim of the database. */
const removeTimeout = "240s";

/** Throws when the shop is there already: whose it is, and what it holds, nobody knows here. */
export async function copyEnvironment(api: Api): Promise<Environment> {
  const before = (await api.list<{ metadata: Meta }>("/api/v1/namespaces")).map(({ metadata }) => metadata.name);
  if (before.includes(namespace)) {
    throw new Error(`Cannot test on this cluster: it has a namespace "${namespace}", which would be deleted`);
  }
  const folder = await mkdtemp(join(tmpdir(), "shop-cluster-"));
  for (const part of parts) await cp(join(manifests, part), join(folder, part), { recursive: true });
  const local = join(folder, "environments/local");
  const changed = join(folder, "environments/changed");

  return {
    async setTag(tag, only = names) {
      for (const name of only) {
        const path = join(local, "images", `${name}.yaml`);
        const text = await readFile(path, "utf8");
        await writeFile(path, text.replace(/^( +image: [a-z]+):.*$/m, `$1:${tag}`));
      }
    },
    async apply(changes = []) {
      if (changes.length === 0) return void (await kubectl("apply", "-k", local));
      const overlay = { resources: ["../local"], patches: changes.map(patchOf) };
      await mkdir(changed, { recursive: true });
      await writeFile(join(changed, "kustomization.yaml"), stringify(overlay));
      await kubectl("apply", "-k", changed);
    },
    async diff() {
      const { code, output } = await tryKubectl("diff", "-k", local);
      if (code > 1) throw new Error(`Cannot compare: ${output}`);
      return code === 0 ? "" : output;
    },
    async remove() {
      const built = parseAllDocuments(await kubectl("kustomize", local));
      const ours = built.filter((document) => {
        const { kind, metadata } = document.toJS() as { kind: string; metadata: Meta };
        return kind !== "Namespace" || !before.includes(metadata.name);
      });
      const file = join(folder, "ours.yaml");
      await writeFile(file, ours.map((document) => `---\n${document}`).join(""));
      await kubectl("delete", "-f", file, "--ignore-not-found", `--timeout=${removeTimeout}`);
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function patchOf({ on, ...operation }: Change) {
  const target = { group: "serving.knative.dev", kind: "Service", ...(on && { name: on }) };
  return { target, patch: stringify([operation]) };
}
