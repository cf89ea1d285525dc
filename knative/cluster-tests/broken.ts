import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { kubectl } from "./api.ts";
import { type Change, namespace } from "./environment.ts";
import type { Pod } from "./pods.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { readyOf, serviceOf } from "./state.ts";

const container = "/spec/template/spec/containers/0";
const on = "users";
const noticeTimeoutMs = 120_000;
/** In place of two minutes: who waits for a failure need not wait long. */
const impatience: Change = {
  on,
  op: "replace",
  path: "/spec/template/metadata/annotations/serving.knative.dev~1progress-deadline",
  value: "30s",
};
const pollMs = 500;

type Status = {
  status: {
    containerStatuses?: {
      name: string;
      lastState?: { terminated?: { exitCode: number } };
      state?: { terminated?: { exitCode: number } };
    }[];
  };
};

const image: Change = { on, op: "replace", path: `${container}/image`, value: "dev.local/users:missing" };
const withoutDatabase: Change = { on, op: "remove", path: `${container}/env/0` };
const database = (value: string): Change => ({
  on,
  op: "replace",
  path: `${container}/env/0`,
  value: { name: "DATABASE_URL", value },
});

export function broken(stage: () => Stage): void {
  describe("a new revision that is broken", () => {
    it("by its image leaves the old one serving, and the Service says so", async () => {
      const { say } = stage();
      await apply(stage(), lightSleep);
      const message = await during([image], async () => {});
      assert.match(message, /image|pull/i);
      say(`a broken image did not take over: ${message}`);
    });

    for (const [what, change, log] of [
      ["missing", withoutDatabase, "DATABASE_URL should be a postgres:// URL"],
      ["malformed", database("planted"), "DATABASE_URL should be a postgres:// URL"],
    ] as const) {
      it(`by a ${what} DATABASE_URL says so in its log, exits 1, and never serves`, async () => {
        const { api } = stage();
        await during([change], async () => {
          const pod = await eventually(
            "its pod has ended",
            async () => {
              const revision = (await serviceOf(api, on)).status?.latestCreatedRevisionName;
              const query = `labelSelector=serving.knative.dev%2Frevision%3D${revision}`;
              const pods = await api.list<Pod & Status>(`/api/v1/namespaces/${namespace}/pods?${query}`);
              return pods.find((one) => exitCodeOf(one) !== undefined);
            },
            noticeTimeoutMs,
            pollMs,
          );
          assert.equal(exitCodeOf(pod), 1);
          const lines = await kubectl(
            "logs",
            `--namespace=${namespace}`,
            pod.metadata.name,
            "--container=user-container",
            "--tail=5",
          );
          assert.match(lines, new RegExp(`"level":"fatal".*Cannot start: ${log}`));
          assert.doesNotMatch(lines, /planted/);
        });
      });
    }

    it("only in that its database cannot be reached is Ready, and answers 503 with Retry-After", async () => {
      const { routes } = stage();
      await apply(stage(), [...lightSleep, database("postgres://users:none@127.0.0.1:1/users")]);
      const { status, headers } = await routes.ask(on, "/users");
      assert.equal(status, 503);
      assert.match(`${headers["retry-after"]}`, /^\d+$/);
      assert.equal(headers["content-type"], "application/problem+json");
      await apply(stage(), lightSleep);
      assert.equal((await routes.ask(on, "/users")).status, 200);
    });
  });

  /** Applies a change that cannot become Ready, waits until the Service says so, and takes it back; what it said. */
  async function during(changes: readonly Change[], meanwhile: () => Promise<void>): Promise<string> {
    const { api, environment, routes } = stage();
    await environment.apply([...lightSleep, impatience, ...changes]);
    const reported = eventually(
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
    const [message] = await Promise.all([reported, meanwhile()]);
    assert.equal((await routes.ask(on, "/users")).status, 200, "the old revision serves");
    await apply(stage(), lightSleep);
    return message;
  }
}

function exitCodeOf({ status }: Status): number | undefined {
  const user = status.containerStatuses?.find(({ name }) => name === "user-container");
  return user?.lastState?.terminated?.exitCode ?? user?.state?.terminated?.exitCode;
}
