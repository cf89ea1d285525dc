import { fileURLToPath } from "node:url";
import { read, run } from "@shop/dev/run";
import { type Kubectl, kubectlOn } from "./kubectl.ts";

const name = "sre-lab";
const knative = "1.23.0";
/** The oldest Kubernetes 1.x that this Knative starts on. */
const minorMin = 34;
const release = (repository: string, file: string) =>
  `https://github.com/knative${repository}/releases/download/knative-v${knative}/${file}`;
const releases = [
  release("/serving", "serving-crds.yaml"),
  release("/serving", "serving-core.yaml"),
  release("-extensions/net-kourier", "kourier.yaml"),
];
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** What brings an image to the nodes of the kind cluster. */
export const pushCommand = `kind load docker-image --name ${name}`;

/** The cluster of KUBECONFIG's current context. */
export const currentCluster = (): Kubectl => kubectlOn(read(["kubectl", "config", "current-context"]).trim());

/** The kind cluster, which is made unless it is there. */
export function kindCluster(): Kubectl {
  const isThere = read(["kind", "get", "clusters"]).split("\n").includes(name);
  if (isThere) run(["kind", "export", "kubeconfig", "--name", name]);
  else run(["kind", "create", "cluster", "--name", name, "--config", path("./kind.yaml")]);
  return kubectlOn(`kind-${name}`);
}

export const deleteKindCluster = (): void => run(["kind", "delete", "cluster", "--name", name]);

/** Throws on a cluster that is too old for Knative. */
export function checkVersion(kubectl: Kubectl): void {
  const { serverVersion } = JSON.parse(kubectl.read(["version", "--output=json"])) as {
    serverVersion: { minor: string; gitVersion: string }; // the minor version of some providers is "34+"
  };
  if (Number.parseInt(serverVersion.minor, 10) >= minorMin) return;
  throw new Error(
    `Cannot run Knative ${knative} on Kubernetes "${serverVersion.gitVersion}": should be 1.${minorMin} or newer`,
  );
}

/** Installs Knative Serving and Kourier by their releases, and the way to it from the laptop. */
export function installKnative(kubectl: Kubectl): void {
  for (const url of releases) {
    // By force: what its controllers have changed since must not fail the next call.
    kubectl.run(["apply", "--server-side", "--force-conflicts", "--filename", url]);
    if (url.endsWith("crds.yaml"))
      kubectl.run(["wait", "--for=condition=Established", "crd", "--all", "--timeout=120s"]);
  }
  kubectl.run(["apply", "--filename", path("./service.yaml")]);
  for (const one of ["knative-serving", "kourier-system"]) {
    kubectl.run(["wait", "--for=condition=Available", "deployment", "--all", `--namespace=${one}`, "--timeout=300s"]);
  }
}

/** Gives Serving its configuration, whose keys have an owner of their own: the next installation leaves them alone. */
export function configureServing(kubectl: Kubectl): void {
  kubectl.run(["apply", "--server-side", "--field-manager=shop", "--kustomize", path("../serving/local")]);
}
