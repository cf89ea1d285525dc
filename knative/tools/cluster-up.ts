import { parseArgs } from "node:util";
import { buildImage, pushImage, words } from "@shop/dev/images";
import { configureServing, createCluster, createdNamespaces, installKnative, pushCommand } from "./cluster.ts";
import { copyManifests, createdKey, names, namespace } from "./manifests.ts";
import { ask, run } from "./run.ts";

const usage = `Starts the shop on Knative: a kind cluster "sre-lab" with Knative, the five images, everything in it. Again: what has changed.

  bun run cluster:up [options]

  --existing          takes the cluster of KUBECONFIG, which has Knative, in place of one of kind
  --push <command>    brings an image, its last argument, to the cluster ("${pushCommand}")
  --build <command>   builds an image ("docker build")
  --help              this text

  bun run cluster:down ends it, with the same --existing.
`;

const namespaces = () => (ask("kubectl", ["get", "namespaces", "--output=name"]) ?? "").split("\n").filter(Boolean);
const preparing = "--selector=app.kubernetes.io/component in (migration, seed)";

try {
  const { values } = parseArgs({
    options: {
      existing: { type: "boolean", default: false },
      push: { type: "string", default: pushCommand },
      build: { type: "string", default: "docker build" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) process.stdout.write(usage);
  else await up({ existing: values.existing, push: words(values.push), build: words(values.build) });
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

/** Writes down what `cluster:down` may delete, beside what is written there already. */
function remember(created: string[]): void {
  if (created.length === 0) return;
  const all = [...createdNamespaces(), ...created];
  run("kubectl", ["annotate", "--overwrite", "namespace", namespace, `${createdKey}=${all.join(",")}`]);
}

type Options = { existing: boolean; push: string[]; build: string[] };

async function up({ existing, push, build }: Options): Promise<void> {
  if (!existing) {
    createCluster();
    installKnative();
  }
  configureServing();
  const before = namespaces();
  const tag = Date.now().toString(36); // used once: Knative makes a revision of a changed line only
  for (const name of names) pushImage(buildImage(name, { tag, command: build }), push);

  await using manifests = await copyManifests();
  await manifests.setTag(tag);
  try {
    run("kubectl", ["apply", "--kustomize", `${manifests.environments}/local`]);
  } finally {
    remember(namespaces().filter((name) => !before.includes(name)));
  }
  run("kubectl", ["wait", "--for=condition=Ready", "ksvc", "--all", `--namespace=${namespace}`, "--timeout=300s"]);
  run("kubectl", ["wait", "--for=condition=Complete", "job", preparing, `--namespace=${namespace}`, "--timeout=300s"]);
  run("kubectl", ["get", "ksvc", `--namespace=${namespace}`]);
  if (!existing) console.log(`\nThe shop: http://frontend.${namespace}.127.0.0.1.sslip.io:8080`);
}
