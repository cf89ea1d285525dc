import { parseArgs } from "node:util";
import { currentCluster, deleteKindCluster } from "./cluster.ts";
import { namesIn } from "./kubectl.ts";
import { managedBy, namespace } from "./manifests.ts";

const usage = `Ends what cluster:up started: deletes its kind cluster "sre-lab".

  bun run cluster:down [options]

  --existing          on the cluster of KUBECONFIG: deletes the namespaces that cluster:up or test:cluster
                      made there, but for those into which somebody has put pods or volumes since
  --help              this text
`;

try {
  const { values } = parseArgs({
    options: { existing: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) process.stdout.write(usage);
  else if (values.existing) deleteNamespaces();
  else deleteKindCluster();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

function deleteNamespaces(): void {
  const kubectl = currentCluster();
  const list = (what: string, whose: string) => namesIn(kubectl.read(["get", what, whose, "--output=name"]));
  const names = list("namespaces", `--selector=${managedBy.key} in (${managedBy.up}, ${managedBy.suite})`);
  const isInUse = (name: string) =>
    name !== namespace && list("pods,persistentvolumeclaims", `--namespace=${name}`).length > 0;
  const kept = names.filter(isInUse);
  const deleted = names.filter((name) => !kept.includes(name));
  if (deleted.length > 0) kubectl.run(["delete", "namespace", ...deleted, "--timeout=300s"]);
  for (const name of kept) console.log(`Namespace "${name}" stays: somebody has put pods or volumes there`);
  if (names.length === 0) console.log("There is nothing that cluster:up or test:cluster made");
}
