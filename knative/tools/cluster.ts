import { fileURLToPath } from "node:url";
import { createdKey, namespace } from "./manifests.ts";
import { ask, run } from "./run.ts";

const name = "sre-lab";
const knative = "1.23.0";
const release = (repository: string, file: string) =>
  `https://github.com/knative${repository}/releases/download/knative-v${knative}/${file}`;
const releases = [
  release("/serving", "serving-crds.yaml"),
  release("/serving", "serving-core.yaml"),
  release("-extensions/net-kourier", "kourier.yaml"),
];
const serving = fileURLToPath(new URL("../serving/local", import.meta.url));
/** Whose keys of Serving's ConfigMaps are ours, so that another owner's are neither taken nor lost. */
const owner = ["--server-side", "--field-manager=cluster-up"];

const kind = (...args: string[]) => run("kind", args);
const kubectl = (...args: string[]) => run("kubectl", args);

/** Makes the kind cluster, unless it is there. */
export function createCluster(): void {
  if (ask("kind", ["get", "clusters"])?.split("\n").includes(name)) kubectl("config", "use-context", `kind-${name}`);
  else kind("create", "cluster", "--name", name, "--config", fileURLToPath(new URL("./kind.yaml", import.meta.url)));
}

export const deleteCluster = (): void => kind("delete", "cluster", "--name", name);

/** What brings an image to the nodes of the kind cluster. */
export const pushCommand = `kind load docker-image --name ${name}`;

/** Installs Knative Serving and Kourier by their releases. */
export function installKnative(): void {
  for (const url of releases) {
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", url); // ours: what we changed before goes back first
    if (url.endsWith("crds.yaml")) kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s");
  }
  const ports = [{ name: "http2", port: 80, protocol: "TCP", targetPort: 8080, nodePort: 31080 }];
  const patch = JSON.stringify({ spec: { type: "NodePort", ports } });
  kubectl("patch", "service", "kourier", "--namespace=kourier-system", "--type=merge", `--patch=${patch}`);
  for (const one of ["knative-serving", "kourier-system"]) {
    kubectl("wait", "--for=condition=Available", "deployment", "--all", `--namespace=${one}`, "--timeout=300s");
  }
}

/** Serving's own configuration, where we are its owner; fails where another one is. */
export const configureServing = (): void => kubectl("apply", ...owner, "--kustomize", serving);

/** Takes back {@link configureServing}: an apply without a key that was ours removes it. */
export function unconfigureServing(): void {
  const maps = ask("kubectl", ["kustomize", serving])?.matchAll(/^ {2}name: (\S+)$/gm) ?? [];
  for (const [, map] of maps) {
    const empty = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: map, namespace: "knative-serving" } };
    run("kubectl", ["apply", ...owner, "--filename=-"], JSON.stringify(empty));
  }
}

/** The namespaces that are written down as made by `cluster:up`. */
export function createdNamespaces(): string[] {
  const template = `{{index .metadata.annotations "${createdKey}"}}`;
  const text = ask("kubectl", ["get", "namespace", namespace, `--output=go-template=${template}`]) ?? "";
  return text.split(",").filter((one) => one.startsWith("namespace/"));
}
