import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { openStockedLedger } from "./database.ts";
import { type Change, type Name, namespace } from "./environment.ts";
import { load, type Run, startLoad, summaryOf } from "./load.ts";
import { longestHeld, readyOverTime } from "./pods.ts";
import { full, record } from "./results.ts";
import { apply, lightSleep, type Stage, windowOf } from "./stage.ts";
import { asleep, revisionsOf, targetOf } from "./state.ts";

const sleepTimeoutMs = 120_000;
/** At 70 for a pod: nearly three pods' load; in the short form the middle of two. */
const ramp = full
  ? { RATE: "200", RAMP_SECONDS: "60", HOLD_SECONDS: "60" }
  : { RATE: "105", RAMP_SECONDS: "15", HOLD_SECONDS: "30" };
/** Long enough to count no single stall of a small machine as a change of load. */
const rampWindow = "15s";
const steady = { RATE: "30", RAMP_SECONDS: "1", HOLD_SECONDS: full ? "150" : "50" };
/** Of all requests those that are orders, and the longest that one may take: pods that start use the processors of those that serve. */
const common = { ORDERS_SHARE: "0.2", P95_MS: "5000" };
const deletions = full ? 20 : 5;
/** A pod that drains keeps its place for half a minute, and two cores have room for some 25 by what they request. */
const drainingMax = 14;

/** Knative's own: the share of its target that a pod is to bear. */
const utilization = 0.7;
/** What each is asked in a second: every request comes to gateway, and to inventory, for products or for a reservation. */
const asked = { gateway: Number(ramp.RATE), orders: Number(ramp.RATE) * 0.2, inventory: Number(ramp.RATE) };
const names = ["gateway", "orders", "inventory"] as const;

const readyTimeoutMs = 60_000;
const drainTimeoutMs = 60_000;
const pollMs = 100;

export function loaded(stage: () => Stage): void {
  describe("under load", () => {
    it("goes from none to as many pods as the target says and back to none, and fails no request", async () => {
      const { api, pods, routes, say } = stage();
      await apply(stage(), windowOf(rampWindow));
      await using _stocked = await openStockedLedger();
      await asleep(api, sleepTimeoutMs);
      const fromMs = Date.now();
      const run = await load(routes, "ramp", { ...ramp, ...common });
      const toMs = Date.now();
      await asleep(api, sleepTimeoutMs);

      assertFlawless(run);
      assert.ok(run.confirmed > 0);
      const lives = pods.lives.filter(({ createdMs }) => createdMs >= fromMs);
      const held = await Promise.all(
        names.map(async (name) => {
          const steps = readyOverTime(lives, name);
          const rate = (await targetOf(api, name)) * utilization;
          const fromHoldMs = toMs - Number(ramp.HOLD_SECONDS) * 1_000;
          return { name, steps, rate, wanted: Math.ceil(asked[name] / rate), ...longestHeld(steps, fromHoldMs, toMs) };
        }),
      );
      const lines = held.map(({ name, steps, rate, wanted, ready, share }) => {
        const times = steps.map((step) => `${step.ready} at ${((step.atMs - fromMs) / 1_000).toFixed(0)} s`);
        return `| ${name} | ${asked[name]} | ${rate} | ${wanted} | ${ready}, ${(share * 100).toFixed(0)} % of it | ${times.join(", ")} |`;
      });
      for (const line of lines) say(line);
      for (const { name, steps, wanted, ready, share } of held) {
        assert.equal(ready, wanted, name);
        assert.ok(share >= 0.5, `${name}: ${share}`);
        assert.equal(steps.at(-1)?.ready, 0, name);
      }
      record("Load", [
        `\`ramp\` 1 → ${ramp.RATE} requests/s in ${ramp.RAMP_SECONDS} s, held for ${ramp.HOLD_SECONDS} s: ${summaryOf(run)}.`,
        "",
        "| function | requests/s | meant for a pod | pods wanted | pods most of the time it was held | ready pods |",
        "|---|---|---|---|---|---|",
        ...lines,
      ]);
    });

    it("answers a herd of 200 that comes at zero pods", async () => {
      const { api, routes, say } = stage();
      await apply(stage(), lightSleep);
      await asleep(api, sleepTimeoutMs);
      const run = await load(routes, "herd", { CLIENTS: "200", IDLE_SECONDS: "0" });
      assert.deepEqual([run.requests, run.failed, run.refused, run.confirmed + run.pending], [200, 0, 0, 200]);
      say("200 of 200 were answered");
      record("Herd", [`200 clients at zero pods: ${summaryOf(run)}.`]);
    });

    it("fails no request while new revisions take over and pods are deleted", async () => {
      const { api, environment, pods, routes, tags, say } = stage();
      const old = await revisionsOf(api);
      await using _stocked = await openStockedLedger();
      await apply(stage(), [...lightSleep, ...traffic(old, "old")]);
      using loading = await startLoad(routes, "ramp", { ...steady, ...common });
      const ready = (name: Name) => pods.of(name).filter(({ readyMs }) => readyMs);
      await eventually("gateway serves", () => ready("gateway").length > 0, readyTimeoutMs, pollMs);
      await environment.setTag(tags[0]);
      await apply(stage(), [...lightSleep, ...traffic(old, "old")]);
      await apply(stage(), [...lightSleep, ...traffic(old, "new")]);
      const serving = await revisionsOf(api);
      for (const name of names) assert.notEqual(serving[name], old[name], name);
      say("new revisions have taken over");
      const draining = () => pods.lives.filter(({ endingMs, goneMs }) => endingMs && !goneMs).length;
      for (let deleted = 0; deleted < deletions; deleted++) {
        await eventually("the node has room", () => draining() <= drainingMax, drainTimeoutMs, pollMs);
        const name = names[deleted % names.length] ?? "gateway";
        const those = () => ready(name).filter(({ revision }) => revision === serving[name]);
        const victim = await eventually(`${name} serves`, () => those()[0], readyTimeoutMs, pollMs);
        await api.remove(`/api/v1/namespaces/${namespace}/pods/${victim.pod}`);
        const other = () => those().some(({ pod }) => pod !== victim.pod);
        await eventually(`${name} has another pod`, other, readyTimeoutMs, pollMs);
      }
      say(`${deletions} pods were deleted`);
      assert.equal(await Promise.race([loading.ended, "still running"]), "still running", "all that was under load");
      const run = await loading.ended;
      assertFlawless(run);
      record("Change under load", [
        `${steady.RATE} requests/s, while all five got a new revision and ${deletions} pods were deleted: ${summaryOf(run)}.`,
      ]);
    });
  });
}

function assertFlawless({ failed, dropped, pending, refused }: Run): void {
  assert.deepEqual({ failed, dropped, pending, refused }, { failed: 0, dropped: 0, pending: 0, refused: 0 });
}

/**
 * Traffic of the public two on the old revision or on the new one, with an address for the one that has none of it: so the ingress knows both
 * before anything moves, and forgets neither while it does. The others change over at once: who calls them asks again.
 */
function traffic(old: Record<Name, string>, on: "old" | "new"): Change[] {
  return (["frontend", "gateway"] as const).map((name) => {
    const before = { latestRevision: false, revisionName: old[name] };
    const onOld = [
      { ...before, percent: 100 },
      { latestRevision: true, tag: "next" },
    ];
    const onNew = [
      { latestRevision: true, percent: 100 },
      { ...before, tag: "before" },
    ];
    return { on: name, op: "replace", path: "/spec/traffic", value: on === "old" ? onOld : onNew };
  });
}
