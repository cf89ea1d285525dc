import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "@shop/platform/testing";
import type { Change } from "./environment.ts";
import { record } from "./results.ts";
import { readMetrics } from "./scrape.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { isReady, serviceOf } from "./state.ts";

const requests = 2_000;
const clients = 8;
const tolerance = 0.03;

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
    const stable = (await serviceOf(api, "users")).status?.latestReadyRevisionName ?? "";
    await environment.apply([...lightSleep, template, traffic({ [stable]: 100 })]);
    const canary = await eventually(
      "there is a second revision",
      async () => {
        const { status } = await serviceOf(api, "users");
        return status?.latestReadyRevisionName === stable ? undefined : status?.latestReadyRevisionName;
      },
      120_000,
      500,
    );
    await environment.apply([...lightSleep, template, traffic({ [stable]: 90, [canary]: 10 })]);
    await eventually("the split is in force", async () => isReady(await serviceOf(api, "users")), 60_000, 500);

    const counted = async () => {
      const counts: Record<string, number> = { [stable]: 0, [canary]: 0 };
      for (const { function: name, revision, address, readyMs, goneMs } of pods.lives) {
        // One that drains still tells what it has counted.
        if (name !== "users" || counts[revision] === undefined || !address || !readyMs || goneMs) continue;
        const text = await readMetrics(address);
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
    const after = await counted();
    const share = ((after[canary] ?? 0) - (before[canary] ?? 0)) / requests;
    const all = Object.keys(after).reduce((sum, key) => sum + (after[key] ?? 0) - (before[key] ?? 0), 0);
    assert.equal(all, requests, "every request was counted by one of the two");
    assert.ok(Math.abs(share - 0.1) < tolerance, `${(share * 100).toFixed(1)} %`);
    say(`10 % of traffic were ${(share * 100).toFixed(1)} %`);
    record("Traffic split", [
      `${requests} requests at 90 to 10: ${((1 - share) * 100).toFixed(1)} to ${(share * 100).toFixed(1)}.`,
    ]);
    await apply(stage(), lightSleep);
  });
}
