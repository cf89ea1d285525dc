import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { contentTag } from "@shop/dev/content";
import { parseAllDocuments } from "yaml";
import type { Manifest } from "../tests/manifest.ts";
import { names } from "./manifests.ts";
import { type Outcome, withFakes } from "./testing.ts";

const foreign = "kubectl * get namespaces *";
/** Answered first, as the other is like it. */
const marked = "kubectl * get namespaces *managed-by in *";
const version = (gitVersion: string, minor: string) =>
  `echo '${JSON.stringify({ serverVersion: { major: "1", minor, gitVersion } })}'`;
/** A cluster that is just new enough and has namespaces of others; the current context is not kind's. */
const cluster = {
  "kubectl * version *": version("v1.34.0-gke.1", "34+"),
  [foreign]: "echo namespace/default; echo namespace/monitoring",
  "kubectl config current-context": "echo theirs",
};
const withKind = { ...cluster, "kind get clusters": "echo kind; echo sre-lab" };

const looks = [
  "version --output=json",
  "get namespaces --selector=app.kubernetes.io/managed-by!=shop-cluster-up --output=name",
];
const images = (build = "docker build", push = "kind load docker-image --name sre-lab") =>
  names.flatMap((name) => [
    `${build} --tag dev.local/${name}:TAG --file functions/Dockerfile .`,
    `${push} dev.local/${name}:TAG`,
  ]);
const apply = "apply --server-side --force-conflicts --filename https://github.com/knative";
const download = "releases/download/knative-v1.23.0";
const installs = [
  `${apply}/serving/${download}/serving-crds.yaml`,
  "wait --for=condition=Established crd --all --timeout=120s",
  `${apply}/serving/${download}/serving-core.yaml`,
  `${apply}-extensions/net-kourier/${download}/kourier.yaml`,
  "apply --filename knative/tools/service.yaml",
  "wait --for=condition=Available deployment --all --namespace=knative-serving --timeout=300s",
  "wait --for=condition=Available deployment --all --namespace=kourier-system --timeout=300s",
  "apply --server-side --field-manager=shop --kustomize knative/serving/local",
];
const preparing = "--selector=app.kubernetes.io/component in (migration, seed)";
const starts = [
  "apply --filename COPY/cluster/namespace.yaml",
  "label namespace sre-lab argocd logging tracing app.kubernetes.io/managed-by=shop-cluster-up --overwrite",
  `delete job ${preparing} --field-selector=status.successful=0 --namespace=sre-lab`,
  "apply --kustomize COPY/environments/local",
  "wait --for=condition=Ready ksvc --all --namespace=sre-lab --timeout=300s",
  `wait --for=condition=Complete job ${preparing} --namespace=sre-lab --timeout=300s`,
  "get ksvc --namespace=sre-lab",
];
const on = (context: string, calls: string[]) => calls.map((call) => `kubectl --context=${context} ${call}`);
const ofKind = [...on("kind-sre-lab", looks), ...images(), ...on("kind-sre-lab", [...installs, ...starts])];
const onTheirs = (...commands: string[]) => [
  "kubectl config current-context",
  ...on("theirs", looks),
  ...images(...commands),
  ...on("theirs", starts),
];
const ofTheirs = onTheirs();

const manifests = ({ applied }: Outcome): Manifest[] => parseAllDocuments(applied).map((one) => one.toJS());
const done = ({ code, error, left }: Outcome) => assert.deepEqual([code, error, left], [0, "", []]);

describe("cluster:up", () => {
  let first: Outcome;
  let again: Outcome;
  let theirs: Outcome;
  before(async () => {
    first = await withFakes("up", [], { answers: cluster });
    again = await withFakes("up", [], { answers: withKind });
    const env = { IMAGE_BUILD: "docker buildx build" };
    theirs = await withFakes("up", ["--existing", "--push", "docker push"], { answers: cluster, env });
  });

  it("makes the kind cluster, and starts the shop there and nowhere else", () => {
    done(first);
    const create = "kind create cluster --name sre-lab --config knative/tools/kind.yaml";
    assert.deepEqual(first.calls, ["kind get clusters", create, ...ofKind]);
  });

  it("again: takes the cluster that is there, and applies the same to the letter", () => {
    done(again);
    assert.deepEqual(again.calls, ["kind get clusters", "kind export kubeconfig --name sre-lab", ...ofKind]);
    assert.equal(again.applied, first.applied);
  });

  it("gives each function and its jobs the tag of its own content", async () => {
    for (const name of names) {
      const tag = await contentTag(name);
      const ours = manifests(first).filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/name"] === name);
      const service = ours.find(({ kind }) => kind === "Service");
      assert.equal(service?.spec?.template?.spec.containers[0]?.image, `dev.local/${name}:${tag}`);
      for (const { kind, metadata } of ours)
        if (kind === "Job") assert.ok(metadata.name.endsWith(`-${tag}`), metadata.name);
    }
  });

  it("--existing starts it on the current context, by the given commands, and leaves Serving as it is", () => {
    done(theirs);
    assert.deepEqual(theirs.calls, onTheirs("docker buildx build", "docker push"));
  });

  it("makes and marks the namespaces that are not there, and leaves those of others alone", () => {
    const namespaces = manifests(theirs).filter(({ kind }) => kind === "Namespace");
    assert.deepEqual(namespaces.map(({ metadata }) => metadata.name).sort(), [
      "argocd",
      "logging",
      "sre-lab",
      "tracing",
    ]);
    for (const { metadata } of namespaces) {
      assert.equal(metadata.labels?.["app.kubernetes.io/managed-by"], undefined, "an apply by hand would take it off");
      assert.ok(metadata.labels?.["pod-security.kubernetes.io/enforce"], metadata.name);
    }
  });

  it("refuses a cluster that is too old, or that has somebody else's shop, before it changes anything", async () => {
    const refusals = {
      'Cannot run Knative 1.23.0 on Kubernetes "v1.33.9": should be 1.34 or newer': {
        "kubectl * version *": version("v1.33.9", "33+"),
      },
      'Cannot start the shop: there is a namespace "sre-lab" that cluster:up did not make': {
        [foreign]: "echo namespace/default; echo namespace/sre-lab",
      },
      'Cannot run "kubectl --context=theirs get namespaces --selector=app.kubernetes.io/managed-by!=shop-cluster-up --output=name": "kubectl" ended with exit code 7':
        { [foreign]: "exit 7" },
    };
    for (const [error, answers] of Object.entries(refusals)) {
      const outcome = await withFakes("up", ["--existing"], { answers: { ...cluster, ...answers } });
      assert.deepEqual([outcome.code, outcome.error, outcome.left], [1, error, []]);
      assert.deepEqual(outcome.calls, ofTheirs.slice(0, outcome.calls.length));
      assert.ok(outcome.calls.length <= 1 + looks.length);
    }
  });

  it("stops at what fails, leaves no file, and says how to go on and how to remove what is there", async () => {
    const failing = {
      "docker build *": 'Cannot build "dev.local/frontend:TAG": "docker" ended with exit code 1',
      "kind load *": 'Cannot push "dev.local/frontend:TAG": "kind" ended with exit code 1',
      "kubectl * wait *ksvc*": `Cannot run "${ofTheirs.at(-3)}": "kubectl" ended with exit code 1`,
    };
    for (const [pattern, message] of Object.entries(failing)) {
      const answers = { ...cluster, [pattern]: "exit 1" };
      const { code, error, calls, left } = await withFakes("up", ["--existing"], { answers });
      const [said, hint] = error.split("\n");
      assert.deepEqual([code, said?.replace(/:[0-9a-f]{12}\b/, ":TAG"), left], [1, message, []]);
      assert.equal(hint, 'The same command goes on from here; "bun run cluster:down --existing" removes what is there');
      assert.deepEqual(calls, ofTheirs.slice(0, calls.length));
      assert.match(calls.at(-1) ?? "", new RegExp(pattern.replaceAll("*", ".*")));
    }
  });

  it("whose kind cluster cannot be made asks no other", async () => {
    const outcome = await withFakes("up", [], { answers: { ...cluster, "kind create *": "exit 1" } });
    assert.deepEqual([outcome.code, outcome.calls.map((call) => call.split(" ")[0])], [1, ["kind", "kind"]]);
  });

  it("makes a cluster of a pinned image, with a Kubernetes that Knative starts on", async () => {
    const text = await readFile(new URL("./kind.yaml", import.meta.url), "utf8");
    const [, minor] = /^ +image: kindest\/node:v1\.(\d+)\.\d+@sha256:[0-9a-f]{64}$/m.exec(text) ?? [];
    assert.ok(Number(minor) >= 34, `1.${minor}`);
  });
});

describe("cluster:down", () => {
  it("deletes the kind cluster, and asks no other", async () => {
    const outcome = await withFakes("down", [], { answers: withKind });
    done(outcome);
    assert.deepEqual(outcome.calls, ["kind delete cluster --name sre-lab"]);
  });

  it("--existing deletes the namespaces that cluster:up marked, but for those in which somebody has moved since", async () => {
    const outcome = await withFakes("down", ["--existing"], {
      answers: {
        [marked]: "echo namespace/argocd; echo namespace/sre-lab; echo namespace/tracing",
        ...cluster,
        "kubectl * get pods,* --namespace=argocd *": "echo pod/argocd-server",
      },
    });
    done(outcome);
    const heldBy = (name: string) => `get pods,persistentvolumeclaims --namespace=${name} --output=name`;
    assert.deepEqual(outcome.calls, [
      "kubectl config current-context",
      ...on("theirs", [
        "get namespaces --selector=app.kubernetes.io/managed-by in (shop-cluster-up, shop-cluster-tests) --output=name",
        heldBy("argocd"),
        heldBy("tracing"),
        "delete namespace sre-lab tracing --timeout=300s",
      ]),
    ]);
    assert.match(outcome.output, /^Namespace "argocd" stays/m);
  });

  it("--existing deletes nothing where nothing is marked", async () => {
    const outcome = await withFakes("down", ["--existing"], { answers: { [marked]: "true", ...cluster } });
    done(outcome);
    assert.deepEqual(
      outcome.calls.filter((call) => call.includes("delete")),
      [],
    );
  });

  it("that fails says where", async () => {
    const answers = { [marked]: "echo namespace/sre-lab", ...cluster, "kubectl * delete *": "exit 1" };
    const { code, error } = await withFakes("down", ["--existing"], { answers });
    assert.equal(code, 1);
    assert.match(
      error,
      /^Cannot run "kubectl --context=theirs delete namespace .*": "kubectl" ended with exit code 1$/,
    );
  });
});

describe("--help", () => {
  for (const command of ["up", "down"] as const) {
    it(`of cluster:${command} says how it is called, and calls nothing`, async () => {
      const outcome = await withFakes(command, ["--help"], { answers: cluster });
      done(outcome);
      assert.match(outcome.output, new RegExp(`^  bun run cluster:${command} .*^  --existing `, "ms"));
      assert.deepEqual(outcome.calls, []);
    });
  }
});
