import { parseArgs } from "node:util";
import { contentTag } from "@shop/dev/content";
import { buildCommand, buildImage, pushImage, words } from "@shop/dev/images";
import { checkVersion, configureServing, currentCluster, installKnative, kindCluster, pushCommand } from "./cluster.ts";
import { type Kubectl, namesIn } from "./kubectl.ts";
import { copyManifests, managedBy, names, namespace, preparingJobs } from "./manifests.ts";

const usage = `Starts the shop on Knative: a kind cluster "sre-lab" with Knative, the five images, everything in it. Again: what has changed.

  bun run cluster:up [options]

  --existing          takes the cluster of KUBECONFIG, which has Knative, in place of one of kind;
                      Knative and its configuration stay as they are
  --push <command>    brings an image, its last argument, to the cluster ("${pushCommand}")
  --build <command>   builds an image ("docker build"), such as "docker build --network host"
  --help              this text

  IMAGE_BUILD         the same as --build

  bun run cluster:down ends it, with the same --existing.
`;

const inNamespace = `--namespace=${namespace}`;
const preparing = `--selector=${preparingJobs}`;

try {
  const { values } = parseArgs({
    options: {
      existing: { type: "boolean", default: false },
      push: { type: "string", default: pushCommand },
      build: { type: "string", default: buildCommand() },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) process.stdout.write(usage);
  else await up({ existing: values.existing, push: words(values.push), build: words(values.build) });
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

type Options = { existing: boolean; push: string[]; build: string[] };

async function up(options: Options): Promise<void> {
  const { existing } = options;
  const kubectl = existing ? currentCluster() : kindCluster();
  checkVersion(kubectl);
  const foreign = foreignNamespaces(kubectl);
  if (foreign.includes(namespace)) {
    throw new Error(`Cannot start the shop: there is a namespace "${namespace}" that cluster:up did not make`);
  }
  try {
    await start(kubectl, foreign, options);
  } catch (error) {
    const down = `bun run cluster:down${existing ? " --existing" : ""}`;
    const next = `The same command goes on from here; "${down}" removes what is there`;
    throw new Error(`${(error as Error).message}\n${next}`, { cause: error });
  }
  if (!existing) console.log(`\nThe shop: http://frontend.${namespace}.127.0.0.1.sslip.io:8080`);
}

function foreignNamespaces(kubectl: Kubectl): string[] {
  const selector = `--selector=${managedBy.key}!=${managedBy.up}`;
  return namesIn(kubectl.read(["get", "namespaces", selector, "--output=name"]));
}

async function start(kubectl: Kubectl, foreign: string[], { existing, push, build }: Options): Promise<void> {
  await using manifests = await copyManifests();
  const makeNamespaces = await manifests.takeNamespaces(foreign, managedBy.up);
  for (const name of names) {
    const tag = await contentTag(name); // so that Knative makes a revision of what has changed, and of nothing else
    pushImage(buildImage(name, { tag, command: build }), push);
    await manifests.setTag(tag, [name]);
  }
  if (!existing) {
    installKnative(kubectl);
    configureServing(kubectl);
  }
  for (const call of makeNamespaces) kubectl.run(call);
  // A Job that has failed would be waited for, and never run again.
  kubectl.run(["delete", "job", preparing, "--field-selector=status.successful=0", inNamespace]);
  kubectl.run(["apply", "--kustomize", `${manifests.environments}/local`]);
  kubectl.run(["wait", "--for=condition=Ready", "ksvc", "--all", inNamespace, "--timeout=300s"]);
  kubectl.run(["wait", "--for=condition=Complete", "job", preparing, inNamespace, "--timeout=300s"]);
  kubectl.run(["get", "ksvc", inNamespace]);
}
