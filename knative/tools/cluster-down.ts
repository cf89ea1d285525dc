import { parseArgs } from "node:util";
import { currentCluster, deleteKindCluster, unconfigureServing } from "./cluster.ts";
import { managedBy } from "./manifests.ts";

try {
  const { values } = parseArgs({ options: { existing: { type: "boolean", default: false } } });
  if (values.existing) clean();
  else deleteKindCluster();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

/** Removes what `cluster:up --existing` made, however far it came, and nothing else. */
function clean(): void {
  const kubectl = currentCluster();
  kubectl.run(["delete", "namespace", `--selector=${managedBy.key}=${managedBy.value}`, "--timeout=300s"]);
  unconfigureServing(kubectl);
}
