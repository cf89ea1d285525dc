import { parseArgs } from "node:util";
import { runChild } from "../../functions/tests/child.ts";
import { pushCommand } from "../tools/cluster.ts";

const usage = `Deploys the shop on the cluster of KUBECONFIG, which has Knative, tests it there, and leaves the cluster as it was.

  bun run test:cluster [options]

  --push <command>    brings an image, its last argument, to the cluster ("${pushCommand}")
  --build <command>   builds an image ("docker build"), such as "docker build --network host"
  --public <url>      where Kourier serves public routes (a port-forward to service/kourier)
  --internal <url>    where Kourier serves cluster-local routes (a port-forward to service/kourier-internal)
  --full              the long form, which writes knative/RESULTS.md
  --help              this text

It refuses a cluster that has a namespace "sre-lab". The addresses of pods have to be reachable from here and their processes visible, as they are to
root on a node or beside kind on Linux; prometheus has to be on PATH, or a Docker engine.
`;

try {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      push: text,
      build: text,
      public: text,
      internal: text,
      full: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const set = {
    ...(values.push && { CLUSTER_PUSH: values.push }),
    ...(values.build && { IMAGE_BUILD: values.build }),
    ...(values.public && { CLUSTER_PUBLIC_URL: values.public }),
    ...(values.internal && { CLUSTER_INTERNAL_URL: values.internal }),
  };
  const command = ["bun", "functions/tests/run.ts", "test:cluster", ...(values.full ? ["--full"] : [])];
  process.exit(await runChild(command, { ...process.env, ...set }));
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
