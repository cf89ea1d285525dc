import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { tryKubectl } from "./api.ts";
import { type Change, type Name, names, namespace } from "./environment.ts";
import type { Pod } from "./pods.ts";
import { record } from "./results.ts";
import { paths } from "./routes.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { readyOf, serviceOf } from "./state.ts";

const noticeTimeoutMs = 120_000;
const pollMs = 500;

const template = "/spec/template";
const container = `${template}/spec/containers/0`;
/** In place of two minutes: who waits for a failure need not wait long. */
const impatience: Change = {
  op: "replace",
  path: `${template}/metadata/annotations/serving.knative.dev~1progress-deadline`,
  value: "30s",
};
/** Its variable for the database, found where it is meant to be, becomes this text, or is gone. */
const database = (on: Name, value?: string): Change[] => {
  const path = `${container}/env/0`;
  return [
    { on, op: "test", path: `${path}/name`, value: "DATABASE_URL" },
    { on, path, ...(value ? { op: "replace", value: { name: "DATABASE_URL", value } } : { op: "remove" }) },
  ];
};
/** One fault each, all in one apply. */
const faults: Change[] = [
  { on: "users", op: "replace", path: `${container}/image`, value: "dev.local/users:missing" },
  ...database("inventory"),
  ...database("orders", "planted"),
];

type Status = {
  status: {
    containerStatuses?: {
      name: string;
      lastState?: { terminated?: { exitCode: number } };
      state?: { terminated?: { exitCode: number } };
    }[];
  };
};

export function broken(stage: () => Stage): void {
  describe("a new revision that is broken", () => {
    before(async () => {
      await apply(stage(), lightSleep);
      await stage().environment.apply([...lightSleep, impatience, ...faults]);
    });

    it("by its image leaves the old one serving, and the Service says so", async () => {
      const { say } = stage();
      const message = await reported("users");
      assert.match(message, /image|pull/i);
      say(`a broken image did not take over: ${message}`);
      record("A broken image", ["The revision before it serves, and the Service says:", "", `> ${message}`]);
    });

    for (const [what, on] of [
      ["missing", "inventory"],
      ["malformed", "orders"],
    ] as const) {
      it(`by a ${what} DATABASE_URL says so in its log, exits 1, and never serves`, async () => {
        const pod = await eventually("its pod has ended", () => endedPod(on), noticeTimeoutMs, pollMs);
        assert.equal(exitCodeOf(pod), 1);
        const whose = [`--namespace=${namespace}`, pod.metadata.name, "--container=user-container", "--tail=5"];
        const fatal = async () => {
          const { output } = await tryKubectl("logs", ...whose); // nothing while the container starts again
          return output.includes('"fatal"') ? output : undefined;
        };
        const lines = await eventually("its log says why", fatal, noticeTimeoutMs, pollMs);
        assert.match(lines, /"level":"fatal".*Cannot start: DATABASE_URL should be a postgres:\/\/ URL/);
        assert.doesNotMatch(lines, /planted/);
        await reported(on);
      });
    }

    it("only in that its database cannot be reached is Ready, and answers 503 with Retry-After", async () => {
      const { routes } = stage();
      await apply(stage(), [...lightSleep, ...database("users", "postgres://users:none@127.0.0.1:1/users")]);
      const { status, headers } = await routes.ask("users", "/users");
      assert.equal(status, 503);
      assert.match(`${headers["retry-after"]}`, /^\d+$/);
      assert.equal(headers["content-type"], "application/problem+json");
      await apply(stage(), lightSleep);
      for (const name of names) assert.equal((await routes.ask(name, paths[name])).status, 200, name);
    });
  });

  /** Waits until the Service says that what was applied last does not serve, and sees that what was before it does; what it said. */
  async function reported(on: Name): Promise<string> {
    const { api, routes } = stage();
    const message = await eventually(
      "the Service reports it",
      async () => {
        const served = await serviceOf(api, on);
        const ready = readyOf(served);
        const noticed = ready?.status === "False" && served.status?.observedGeneration === served.metadata.generation;
        return noticed ? `${ready.message}` : undefined;
      },
      noticeTimeoutMs,
      pollMs,
    );
    assert.equal((await routes.ask(on, paths[on])).status, 200, "the old revision serves");
    return message;
  }

  /** A pod of the newest revision whose function has ended. */
  async function endedPod(on: Name): Promise<(Pod & Status) | undefined> {
    const { api } = stage();
    const revision = (await serviceOf(api, on)).status?.latestCreatedRevisionName;
    const query = `labelSelector=serving.knative.dev%2Frevision%3D${revision}`;
    const pods = await api.list<Pod & Status>(`/api/v1/namespaces/${namespace}/pods?${query}`);
    return pods.find((one) => exitCodeOf(one) !== undefined);
  }
}

function exitCodeOf({ status }: Status): number | undefined {
  const user = status.containerStatuses?.find(({ name }) => name === "user-container");
  return user?.lastState?.terminated?.exitCode ?? user?.state?.terminated?.exitCode;
}
