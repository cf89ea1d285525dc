import { parseArgs } from "node:util";
import { deleteCluster, unconfigureServing } from "./cluster.ts";
import { namespace } from "./manifests.ts";
import { ask, run } from "./run.ts";

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
  const template = '{{index .metadata.annotations "shop/created"}}';
  const created = ask("kubectl", ["get", "namespace", namespace, `--output=go-template=${template}`]) ?? "";
  const ours = created.split(",").filter((name) => name.startsWith("namespace/"));
  if (ours.length === 0) throw new Error(`Cannot end the shop: no "${namespace}" that cluster:up made`);
  run("kubectl", ["delete", ...ours, "--timeout=300s"]);
  unconfigureServing();
}
