import { parseArgs } from "node:util";
import { createdNamespaces, deleteCluster, unconfigureServing } from "./cluster.ts";
import { namespace } from "./manifests.ts";
import { run } from "./run.ts";

try {
  const { values } = parseArgs({ options: { existing: { type: "boolean", default: false } } });
  if (values.existing) clean();
  else deleteCluster();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

/** Removes what `cluster:up --existing` made, and nothing else. */
function clean(): void {
  const ours = createdNamespaces();
  if (ours.length === 0) throw new Error(`Cannot end the shop: no "${namespace}" that cluster:up made`);
  run("kubectl", ["delete", ...ours, "--timeout=300s"]);
  unconfigureServing();
}
