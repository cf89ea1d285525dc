import { parseArgs } from "node:util";
import { currentCluster, deleteKindCluster } from "./cluster.ts";
import { managedBy } from "./manifests.ts";

const usage = `Ends what cluster:up started: deletes its kind cluster "sre-lab".

  bun run cluster:down [options]

  --existing          on the cluster of KUBECONFIG: deletes the namespaces that cluster:up made there, and nothing else
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
  const ours = `--selector=${managedBy.key}=${managedBy.value}`;
  currentCluster().run(["delete", "namespace", ours, "--timeout=300s"]);
}
