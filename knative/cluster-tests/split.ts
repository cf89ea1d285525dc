import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "@shop/platform/testing";
import type { Change } from "./environment.ts";
import { record } from "./results.ts";
import { readMetrics, sum } from "./scrape.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { isReady, revisionsOf, serviceOf } from "./state.ts";

const requests = 2_000;
const clients = 8;
const tolerance = 0.03;
/** Less than the 30 s of a drain: those that have counted are still there. */
const countTimeoutMs = 20_000;

const template: Change = {
  on: "users",
  op: "add",
  path: "/spec/template/metadata/annotations/shop~1canary",
  value: "on-trial",
};
const traffic = (shares: Record<string, number>): Change => ({
  on: "users",
  op: "replace",
  path: "/spec/traffic",
  value: Object.entries(shares).map(([revisionName, percent]) => ({ latestRevision: false, revisionName, percent })),
});

export function split(stage: () => Stage): void {
  it("splits traffic 90 to 10 between two revisions, by a change of YAML", async () => {
    const { api, environment, pods, routes, say } = stage();
    await apply(stage(), lightSleep);
    const stable = (await revisionsOf(api)).users;
    await environment.apply([...lightSleep, template, traffic({ [stable]: 100 })]);
    const canary = await eventually(
      "there is a second revision",
      async () => {
        const { users } = await revisionsOf(api);
        return users === stable ? undefined : users;
      },
      120_000,
      500,
    );
    await environment.apply([...lightSleep, template, traffic({ [stable]: 90, [canary]: 10 })]);
    await eventually("the split is in force", async () => isReady(await serviceOf(api, "users")), 60_000, 500);

    /** What the pods of each of the two have counted; one that drains still tells it, and one serves before it is seen to be Ready. */
    const counted = async () => {
      const counts = { [stable]: 0, [canary]: 0 };
      for (const life of pods.lives) {
        const { revision, address, goneMs } = life;
        if (counts[revision] === undefined || !address || goneMs) continue;
        const text = await readMetrics(address).catch((error) => {
          if (life.readyMs && !life.endingMs) throw error; // one that does not listen yet has counted nothing
          return "";
        });
        for (const [, value] of text.matchAll(/^http_requests_total\{[^}]*route="\/users"[^}]*\} (\d+)/gm))
          counts[revision] += Number(value);
      }
      return counts;
    };
    const before = await counted();
    let left = requests;
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (left-- > 0) assert.equal((await routes.ask("users", "/users")).status, 200);
      }),
    );
    const after = await eventually(
      "every request was counted by one of the two",
      async () => {
        const counts = await counted();
        return sum(counts) - sum(before) === requests ? counts : undefined;
      },
      countTimeoutMs,
      500,
    );
    const share = ((after[canary] ?? 0) - (before[canary] ?? 0)) / requests;
    assert.ok(Math.abs(share - 0.1) < tolerance, `${(share * 100).toFixed(1)} %`);
    say(`10 % of traffic were ${(share * 100).toFixed(1)} %`);
    record("Traffic split", [
      `${requests} requests at 90 to 10: ${((1 - share) * 100).toFixed(1)} to ${(share * 100).toFixed(1)}.`,
    ]);
  });
}
