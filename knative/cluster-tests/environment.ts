import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { copyManifests, type Manifests, type Name, namespace } from "../tools/manifests.ts";
import { type Api, kubectl, type Meta, tryKubectl } from "./api.ts";

export { type Name, names, namespace } from "../tools/manifests.ts";

/** One operation of a JSON patch (RFC 6902) on the Service of one function, or of all. */
export type Change = { on?: Name; op: "add" | "replace" | "remove"; path: string; value?: unknown };

/** The local environment, in a copy. */
export type Environment = Pick<Manifests, "setTag"> &
  AsyncDisposable & {
    /** Applies the local environment as it stands, or with changes on top. */
    apply(changes?: readonly Change[]): Promise<void>;
    /** What an apply would change; empty when nothing. */
    diff(): Promise<string>;
    /** Deletes all of it that was not there when this copy was made, and waits until it is gone. */
    remove(): Promise<void>;
  };

/** For pods that drain, and for the claim of the database. */
const removeTimeout = "240s";

/** Throws when the shop is there already: whose it is, and what it holds, nobody knows here. */
export async function copyEnvironment(api: Api): Promise<Environment> {
  const before = (await api.list<{ metadata: Meta }>("/api/v1/namespaces")).map(({ metadata }) => metadata.name);
  if (before.includes(namespace)) {
    throw new Error(`Cannot test on this cluster: it has a namespace "${namespace}", which would be deleted`);
  }
  const manifests = await copyManifests();
  const local = join(manifests.environments, "local");
  const changed = join(manifests.environments, "changed");

  return {
    setTag: manifests.setTag,
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
      const file = join(manifests.environments, "ours.yaml");
      await writeFile(file, ours.map((document) => `---\n${document}`).join(""));
      await kubectl("delete", "-f", file, "--ignore-not-found", `--timeout=${removeTimeout}`);
    },
    [Symbol.asyncDispose]: () => manifests[Symbol.asyncDispose](),
  };
}

function patchOf({ on, ...operation }: Change) {
  const target = { group: "serving.knative.dev", kind: "Service", ...(on && { name: on }) };
  return { target, patch: stringify([operation]) };
}
