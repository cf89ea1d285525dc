import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { namesIn } from "../tools/kubectl.ts";
import { copyManifests, type Manifests, managedBy, type Name, namespace } from "../tools/manifests.ts";
import { kubectl, tryKubectl } from "./api.ts";

export { type Name, names, namespace } from "../tools/manifests.ts";

/** One operation of a JSON patch (RFC 6902) on the Service of one function, or of all. */
export type Change = { on?: Name; op: "add" | "replace" | "remove" | "test"; path: string; value?: unknown };

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

const removeTimeout = "240s";

/** Throws when the shop is there already: whose it is, and what it holds, nobody knows here. Namespaces of others are left as they are. */
export async function copyEnvironment(): Promise<Environment> {
  const foreign = namesIn(await kubectl("get", "namespaces", "--output=name"));
  if (foreign.includes(namespace)) {
    throw new Error(
      `Cannot test on this cluster: it has a namespace "${namespace}", which would be deleted; "bun run cluster:down --existing" ends one that cluster:up or this suite made`,
    );
  }
  const manifests = await copyManifests();
  const makeNamespaces = await manifests.takeNamespaces(foreign, managedBy.suite);
  const local = join(manifests.environments, "local");
  const changed = join(manifests.environments, "changed");
  const readers = join(manifests.environments, "readers.yaml");
  await writeFile(readers, stringify(readersPolicy));
  let isMade = false;
  let removed = false;

  return {
    setTag: manifests.setTag,
    async apply(changes = []) {
      if (removed) throw new Error("Cannot apply: it was removed");
      if (!isMade) for (const call of makeNamespaces) await kubectl(...call);
      isMade = true;
      const overlay = { resources: ["../local"], patches: changes.map(patchOf) };
      await mkdir(changed, { recursive: true });
      await writeFile(join(changed, "kustomization.yaml"), stringify(overlay));
      await kubectl("apply", "-k", changes.length > 0 ? changed : local);
      await kubectl("apply", "-f", readers);
    },
    async diff() {
      const { code, output, error } = await tryKubectl("diff", "-k", local);
      if (code > 1) throw new Error(`Cannot compare: ${error}`);
      return code === 0 ? "" : output;
    },
    async remove() {
      removed = true;
      await tryKubectl("delete", "-k", local, "--ignore-not-found", "--wait=false");
      await tryKubectl("delete", "pods", "--all", `--namespace=${namespace}`, "--force", "--wait=false"); // none has to drain
      await kubectl("delete", "-k", local, "--ignore-not-found", `--timeout=${removeTimeout}`);
    },
    [Symbol.asyncDispose]: () => manifests[Symbol.asyncDispose](),
  };
}

function patchOf({ on, ...operation }: Change) {
  const target = { group: "serving.knative.dev", kind: "Service", ...(on && { name: on }) };
  return { target, patch: stringify([operation]) };
}
