import { eventually } from "@shop/platform/testing";
import { preparingJobs } from "../tools/manifests.ts";
import type { Api, Condition, Meta } from "./api.ts";
import { type Name, names, namespace } from "./environment.ts";

export type Served = {
  metadata: Meta;
  spec: { template: { metadata: { annotations?: Record<string, string> } } };
  status?: {
    observedGeneration?: number;
    conditions?: Condition[];
    url?: string;
    latestReadyRevisionName?: string;
    latestCreatedRevisionName?: string;
  };
};
type Job = { metadata: Meta; status?: { conditions?: Condition[] } };
type Autoscaled = { metadata: Meta; spec: { replicas: number }; status?: { replicas?: number } };

const pollMs = 200;
const preparing = encodeURIComponent(preparingJobs);
const serving = `/apis/serving.knative.dev/v1/namespaces/${namespace}/services`;

export async function serviceOf(api: Api, name: string): Promise<Served> {
  const served = await api.get<Served>(`${serving}/${name}`);
  if (!served) throw new Error(`Cannot find the Service "${name}"`);
  return served;
}

/** The newest revision of each function that is Ready. */
export async function revisionsOf(api: Api): Promise<Record<Name, string>> {
  const all = await Promise.all(names.map(async (name) => [name, (await serviceOf(api, name)).status] as const));
  return Object.fromEntries(all.map(([name, status]) => [name, status?.latestReadyRevisionName ?? ""])) as Record<
    Name,
    string
  >;
}

/** What one pod of a function is to bear at most, as its autoscaler is told. */
export async function targetOf(api: Api, name: string): Promise<number> {
  const { annotations = {} } = (await serviceOf(api, name)).spec.template.metadata;
  return Number(annotations["autoscaling.knative.dev/target"]);
}

export const readyOf = ({ status }: Served): Condition | undefined =>
  status?.conditions?.find(({ type }) => type === "Ready");

/** Whether what was applied last serves, not only something before it. */
export function isReady(served: Served): boolean {
  const { metadata, status } = served;
  return (
    readyOf(served)?.status === "True" &&
    status?.observedGeneration === metadata.generation &&
    status?.latestReadyRevisionName === status?.latestCreatedRevisionName
  );
}

/** Waits until every function is Ready and every job is done. */
export async function allReady(api: Api, timeoutMs: number): Promise<void> {
  let waitsFor: string[] = [];
  try {
    await eventually(
      "all are ready",
      async () => {
        const services = await Promise.all(names.map((name) => serviceOf(api, name)));
        const jobs = await api.list<Job>(`/apis/batch/v1/namespaces/${namespace}/jobs?labelSelector=${preparing}`);
        waitsFor = [
          ...services
            .filter((one) => !isReady(one))
            .map((one) => `${one.metadata.name} (${readyOf(one)?.message ?? ""})`),
          ...jobs
            .filter(
              ({ status }) => !status?.conditions?.some((one) => one.type === "Complete" && one.status === "True"),
            )
            .map(({ metadata }) => metadata.name),
        ];
        return waitsFor.length === 0;
      },
      timeoutMs,
      pollMs,
    );
  } catch (cause) {
    throw new Error(`Not ready in time: ${waitsFor.join(", ")}`, { cause });
  }
}

/** Waits until nothing wants a pod of these functions: the next request has to wake them. A pod may still drain. */
export async function asleep(api: Api, timeoutMs: number, only: readonly string[] = names): Promise<void> {
  await eventually(
    `${only} sleep`,
    async () => {
      const all = await api.list<Autoscaled>(
        `/apis/apps/v1/namespaces/${namespace}/deployments?labelSelector=serving.knative.dev%2Fservice`,
      );
      return only.every((name) => {
        const ours = all.filter(({ metadata }) => metadata.labels?.["serving.knative.dev/service"] === name);
        return ours.length > 0 && ours.every(({ spec, status }) => spec.replicas === 0 && !status?.replicas);
      });
    },
    timeoutMs,
    pollMs,
  );
}
