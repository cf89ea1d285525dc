import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { copyManifests, type Manifests, type Name, namespace } from "../tools/manifests.ts";
import { kubectl, type Meta, tryKubectl } from "./api.ts";

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
    /** Deletes all of it that was not there when this copy was made, waits until it is gone, and gives the rest its labels back. */
    remove(): Promise<void>;
  };

/** Who reads the pods here stands beside the cluster's Prometheus, maybe outside of the cluster. */
const readersPolicy = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "cluster-tests", namespace },
  spec: {
    podSelector: {},
    policyTypes: ["Ingress"],
    ingress: [{ ports: [{ protocol: "TCP", port: 8080 }] }],
  },
};

type Built = { kind: string; metadata: Meta };
type Namespace = { metadata: Meta & { annotations?: Record<string, string> } };

const removeTimeout = "240s";

/** Throws when the shop is there already: whose it is, and what it holds, nobody knows here. */
export async function copyEnvironment(): Promise<Environment> {
  const { items } = JSON.parse(await kubectl("get", "namespaces", "--output=json")) as { items: Namespace[] };
  const before = new Map(items.map((one) => [one.metadata.name, one]));
  if (before.has(namespace)) {
    throw new Error(`Cannot test on this cluster: it has a namespace "${namespace}", which would be deleted`);
  }
  const manifests = await copyManifests();
  const local = join(manifests.environments, "local");
  const changed = join(manifests.environments, "changed");
  const readers = join(manifests.environments, "readers.yaml");
  await writeFile(readers, stringify(readersPolicy));
  let removed = false;

  return {
    setTag: manifests.setTag,
    async apply(changes = []) {
      if (removed) throw new Error("Cannot apply: it was removed");
      const overlay = { resources: ["../local"], patches: changes.map(patchOf) };
      await mkdir(changed, { recursive: true });
      await writeFile(join(changed, "kustomization.yaml"), stringify(overlay));
      await kubectl("apply", "-k", changes.length > 0 ? changed : local);
      await kubectl("apply", "-f", readers);
    },
    async diff() {
      const { code, output } = await tryKubectl("diff", "-k", local);
      if (code > 1) throw new Error(`Cannot compare: ${output}`);
      return code === 0 ? "" : output;
    },
    async remove() {
      removed = true;
      const built = parseAllDocuments(await kubectl("kustomize", local)).map((document) => document.toJS() as Built);
      const found = built.flatMap(({ kind, metadata }) => (kind === "Namespace" && before.get(metadata.name)) || []);
      const ours = built.filter(({ kind, metadata }) => kind !== "Namespace" || !before.has(metadata.name));
      const file = join(manifests.environments, "ours.yaml");
      await writeFile(file, ours.map((one) => `---\n${stringify(one)}`).join(""));
      await kubectl("delete", "-f", file, "--ignore-not-found", "--wait=false");
      await kubectl("delete", "pods", "--all", `--namespace=${namespace}`, "--force", "--wait=false"); // none has to drain
      await kubectl("delete", "-f", file, "--ignore-not-found", `--timeout=${removeTimeout}`);
      for (const one of found) await restore(one);
    },
    [Symbol.asyncDispose]: () => manifests[Symbol.asyncDispose](),
  };
}

/** Gives a namespace back the labels that it had, and takes away those that it had not. */
async function restore({ metadata: { name, labels, annotations } }: Namespace): Promise<void> {
  const now = JSON.parse(await kubectl("get", "namespace", name, "--output=json")) as Namespace;
  const none = (keys: object = {}) => Object.fromEntries(Object.keys(keys).map((key) => [key, null]));
  const patch = {
    metadata: {
      labels: { ...none(now.metadata.labels), ...labels },
      annotations: { ...none(now.metadata.annotations), ...annotations },
    },
  };
  await kubectl("patch", "namespace", name, "--type=merge", `--patch=${JSON.stringify(patch)}`);
}

function patchOf({ on, ...operation }: Change) {
  const target = { group: "serving.knative.dev", kind: "Service", ...(on && { name: on }) };
  return { target, patch: stringify([operation]) };
}
