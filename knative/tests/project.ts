import type { Container, Manifest, Metadata, PodSpec, Resources } from "./manifest.ts";
import { describe, nameLabel } from "./manifest.ts";

/** A pod as some controller will make it of a manifest. */
export interface Pod {
  /** The manifest that it comes of, for messages. */
  of: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: PodSpec;
  /** How many there are at most, in a rollout too. */
  countMax: number;
  /** Whether it ends by itself. */
  job: boolean;
}

const queuePrefix = "queue.sidecar.serving.knative.dev/";

/** Every pod that follows from the manifests, as Knative, the controllers of Kubernetes and CloudNativePG make them. */
export function podsOf(manifests: readonly Manifest[]): Pod[] {
  return manifests.flatMap((manifest) => {
    const { apiVersion, kind, spec } = manifest;
    if (!spec) return [];
    if (kind === "Service" && apiVersion.startsWith("serving.knative.dev/")) return [knativePod(manifest)];
    if (kind === "StatefulSet") return [pod(manifest, spec.template, { countMax: spec.replicas ?? 1 })];
    if (kind === "Job") return [pod(manifest, spec.template, { job: true })];
    if (kind === "CronJob") return [pod(manifest, spec.jobTemplate?.spec.template, { job: true })];
    if (kind === "Cluster") return [databasePod(manifest)];
    return [];
  });
}

type Template = { metadata?: Partial<Metadata>; spec: PodSpec };

function pod(of: Manifest, template: Template | undefined, { countMax = 1, job = false } = {}): Pod {
  if (!template) throw new Error(`Cannot project ${describe(of)}: it has no template`);
  return {
    of: describe(of),
    namespace: of.metadata.namespace ?? "default",
    labels: template.metadata?.labels ?? {},
    annotations: template.metadata?.annotations ?? {},
    spec: template.spec,
    countMax,
    job,
  };
}

/** The template with the queue-proxy beside it (knative/serving, pkg/reconciler/revision/resources); twice in a rollout or while pods drain. */
function knativePod(service: Manifest): Pod {
  const template = service.spec?.template;
  const annotations = template?.metadata?.annotations ?? {};
  const base = pod(service, template, { countMax: 2 * Number(annotations["autoscaling.knative.dev/max-scale"] ?? 0) });
  const containers = base.spec.containers.map(({ readinessProbe: _, ...container }) => container);
  return {
    ...base,
    labels: {
      ...base.labels,
      "serving.knative.dev/service": service.metadata.name,
      app: `${service.metadata.name}-00001`,
    },
    spec: { ...base.spec, containers: [...containers, queueProxy(annotations)] },
  };
}

function queueProxy(annotations: Record<string, string>): Container {
  const resources: Required<Resources> = { requests: {}, limits: {} };
  for (const name of ["cpu", "memory", "ephemeral-storage"]) {
    for (const [side, key] of [
      ["requests", "request"],
      ["limits", "limit"],
    ] as const) {
      const value = annotations[`${queuePrefix}${name}-resource-${key}`];
      if (value !== undefined) resources[side][name] = value;
    }
  }
  return {
    name: "queue-proxy",
    image: "knative.dev/serving/cmd/queue@sha256:of-the-release",
    ports: [9090, 9091, 8012, 8112].map((containerPort) => ({ containerPort })),
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/** CloudNativePG's instance, by its documentation of labels, ports and security contexts; one more while an instance is replaced. */
function databasePod(cluster: Manifest): Pod {
  const { inheritedMetadata, instances = 1, resources, imageName = "" } = cluster.spec ?? {};
  return {
    of: describe(cluster),
    namespace: cluster.metadata.namespace ?? "default",
    labels: { ...inheritedMetadata?.labels, "cnpg.io/cluster": cluster.metadata.name },
    annotations: {},
    countMax: instances + 1,
    job: false,
    spec: {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "postgres",
          image: imageName,
          ports: [5432, 9187, 8000].map((containerPort) => ({ containerPort })),
          ...(resources && { resources }),
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  };
}

/** Whether a pod prepares a database and ends: it reads `DATABASE_URL`, opens one connection, and nothing else. */
export const prepares = ({ labels }: Pick<Pod, "labels">): boolean =>
  ["migration", "seed"].includes(labels["app.kubernetes.io/component"] ?? "");

/** The function that a pod runs for, undefined for the database's. */
export const functionOf = (pod: Pod): string | undefined =>
  pod.labels["app.kubernetes.io/component"] === "database" ? undefined : nameLabel(pod.labels);
