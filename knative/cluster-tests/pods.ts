import { eventually } from "@shop/platform/testing";
import type { Api, Condition, Meta } from "./api.ts";
import { namespace } from "./environment.ts";

export type Pod = {
  metadata: Meta & { uid: string; labels: Record<string, string> };
  spec: { nodeName?: string; containers: { name: string; ports?: { name?: string; containerPort: number }[] }[] };
  status: { podIP?: string; phase: string; conditions?: Condition[] };
};

/** One pod of a function, as it was seen from here: Unix milliseconds. */
export type Life = {
  readonly pod: string;
  readonly function: string;
  readonly revision: string;
  readonly uid: string;
  /** Of its `user-port`: the function itself, past the queue-proxy. */
  address?: string;
  createdMs: number;
  scheduledMs?: number;
  readyMs?: number;
  /** It was told to end. */
  endingMs?: number;
  goneMs?: number;
};

/** Follows the pods of all functions from now on. */
export type Pods = AsyncDisposable & {
  readonly lives: readonly Life[];
  /** The pods of a function that are there and were not told to end. */
  of(name: string): Life[];
  /** Waits until no function has a pod, not even one that drains. */
  allGone(timeoutMs: number): Promise<void>;
};

const pollMs = 100;
const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=serving.knative.dev%2Fservice`;

export async function followPods(api: Api): Promise<Pods> {
  const lives = new Map<string, Life>();
  const stop = new AbortController();
  let lost: unknown;
  const watching = api
    .watch<Pod>(path, stop.signal, ({ type, object: { metadata, spec, status } }) => {
      const nowMs = Date.now();
      const { uid, name, labels, deletionTimestamp } = metadata;
      const life = lives.get(uid) ?? {
        pod: name,
        uid,
        function: labels["serving.knative.dev/service"] ?? "",
        revision: labels["serving.knative.dev/revision"] ?? "",
        createdMs: nowMs,
      };
      lives.set(uid, life);
      if (spec.nodeName) life.scheduledMs ??= nowMs;
      const port = spec.containers.flatMap(({ ports }) => ports ?? []).find((one) => one.name === "user-port");
      if (status.podIP && port) life.address = `${status.podIP}:${port.containerPort}`;
      if (status.conditions?.some((one) => one.type === "Ready" && one.status === "True")) life.readyMs ??= nowMs;
      if (deletionTimestamp) life.endingMs ??= nowMs;
      if (type === "DELETED") life.goneMs ??= nowMs;
    })
    .then(
      () => new Error("It was closed"),
      (error) => error,
    )
    .then((error) => {
      if (!stop.signal.aborted) lost = error;
    });

  function all(): Life[] {
    if (lost) throw new Error("Cannot follow the pods: the watch ended", { cause: lost });
    return [...lives.values()];
  }
  return {
    get lives() {
      return all();
    },
    of: (name) => all().filter((life) => life.function === name && !life.endingMs && !life.goneMs),
    async allGone(timeoutMs) {
      await eventually("no function has a pod", () => all().every(({ goneMs }) => goneMs), timeoutMs, pollMs);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
    },
  };
}

/** How many pods of a function were ready at each moment at which that changed. */
export function readyOverTime(lives: readonly Life[], name: string): { atMs: number; ready: number }[] {
  const steps = lives
    .filter((life) => life.function === name)
    .flatMap(({ readyMs, endingMs, goneMs }) => {
      const endMs = endingMs ?? goneMs;
      if (readyMs === undefined) return [];
      return [{ atMs: readyMs, by: 1 }, ...(endMs === undefined ? [] : [{ atMs: endMs, by: -1 }])];
    })
    .sort((a, b) => a.atMs - b.atMs);
  let ready = 0;
  return steps.map(({ atMs, by }) => {
    ready += by;
    return { atMs, ready };
  });
}

/** The number of ready pods that stood longest between two moments, and for which share of that time. */
export function longestHeld(steps: readonly { atMs: number; ready: number }[], fromMs: number, toMs: number) {
  const heldMs = new Map<number, number>();
  for (const [index, { atMs, ready }] of steps.entries()) {
    const untilMs = Math.min(steps[index + 1]?.atMs ?? toMs, toMs);
    heldMs.set(ready, (heldMs.get(ready) ?? 0) + Math.max(0, untilMs - Math.max(atMs, fromMs)));
  }
  const [ready, ms] = [...heldMs].reduce((most, one) => (one[1] > most[1] ? one : most), [0, 0]);
  return { ready, share: ms / (toMs - fromMs) };
}
