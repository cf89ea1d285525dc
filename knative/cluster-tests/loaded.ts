import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "@shop/platform/testing";
import { type Change, type Name, names, namespace } from "./environment.ts";
import { openStockedLedger } from "./ledger.ts";
import { longestHeld, readyOverTime } from "./pods.ts";
import { full, record } from "./results.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { asleep, revisionsOf } from "./state.ts";

const sleepTimeoutMs = 120_000;
const ramp = full
  ? { RATE: "200", RAMP_SECONDS: "60", HOLD_SECONDS: "60" }
  : { RATE: "175", RAMP_SECONDS: "20", HOLD_SECONDS: "25" };
const steady = { RATE: "30", RAMP_SECONDS: "1", HOLD_SECONDS: full ? "240" : "60" };
const deletions = full ? 20 : 5;
/** What one pod is meant to bear: the annotated target at Knative's 70 %. */
const podRate = 100 * 0.7;
const podsWanted = Math.ceil(Number(ramp.RATE) / podRate);

/** What the load asks for: these are awake. */
const busy = ["gateway", "orders", "inventory"] as const;
/** Pods that start beside those that serve take the processors of a small machine. */
const patience = { P95_MS: "5000" };
const readyTimeoutMs = 60_000;
const pollMs = 100;

type Summary = { metrics: Record<string, { values: Record<string, number> }> };
type Ended = { code: number; output: string; summary: Summary };

export function loaded(stage: () => Stage): void {
  describe("under load", () => {
    it("goes from one pod to as many as the target says and back to none, and fails no request", async () => {
      const { api, pods, say } = stage();
      await apply(stage(), lightSleep);
      await using _stocked = await openStockedLedger();
      await asleep(api, sleepTimeoutMs);
      const fromMs = Date.now();
      const { code, output, summary } = await load(stage(), "ramp", { ...ramp, ...patience });
      assert.equal(code, 0, output);
      const toMs = Date.now();
      await asleep(api, sleepTimeoutMs);

      const steps = readyOverTime(
        pods.lives.filter(({ createdMs }) => createdMs >= fromMs),
        "gateway",
      );
      const held = longestHeld(steps, toMs - Number(ramp.HOLD_SECONDS) * 1_000, toMs);
      say(`gateway was held at ${held} pods, wanted ${podsWanted}`);
      assert.deepEqual([steps[0]?.ready, held, steps.at(-1)?.ready], [1, podsWanted, 0]);
      const requests = summary.metrics.http_reqs?.values.count ?? 0;
      record("Load", [
        `\`ramp\` 1 → ${ramp.RATE} requests/s: ${requests} requests, ${summary.metrics.http_req_failed?.values.passes ?? 0} failed, ${summary.metrics.dropped_iterations?.values.count ?? 0} dropped, ${summary.metrics.orders_confirmed?.values.count ?? 0} orders confirmed. Ready pods of gateway (target ${podRate}/s a pod: ${podsWanted}), ${held} of them for most of the time at ${ramp.RATE}/s:`,
        "",
        "| after, s | ready pods |",
        "|---|---|",
        ...steps.map(({ atMs, ready }) => `| ${((atMs - fromMs) / 1_000).toFixed(0)} | ${ready} |`),
      ]);
    });

    it("answers a herd of 200 that comes at zero pods", async () => {
      const { api, say } = stage();
      await asleep(api, sleepTimeoutMs);
      const { code, output, summary } = await load(stage(), "herd", { CLIENTS: "200", IDLE_SECONDS: "0" });
      assert.equal(code, 0, output);
      assert.equal(summary.metrics.http_reqs?.values.count, 200);
      say("200 of 200 were answered");
      record("Herd", [
        `200 clients at zero pods: 200 answered, ${summary.metrics.http_req_failed?.values.passes ?? 0} failed.`,
      ]);
    });

    it("fails no request while new revisions take over and pods are deleted", async () => {
      const { api, environment, pods, tags, say } = stage();
      const old = await revisionsOf(api);
      await using _stocked = await openStockedLedger();
      await apply(stage(), [...lightSleep, ...traffic(old, "old")]);
      const loading = load(stage(), "ramp", { ...steady, ...patience });
      await eventually(
        "gateway serves",
        () => pods.of("gateway").some(({ readyMs }) => readyMs),
        readyTimeoutMs,
        pollMs,
      );
      await environment.setTag(tags[0]);
      await apply(stage(), [...lightSleep, ...traffic(old, "old")]);
      await apply(stage(), [...lightSleep, ...traffic(old, "new")]);
      say("new revisions have taken over");
      const serving = await revisionsOf(api);
      for (let deleted = 0; deleted < deletions; deleted++) {
        const name = busy[deleted % busy.length] ?? "gateway";
        const ready = () => pods.of(name).filter(({ readyMs, revision }) => readyMs && revision === serving[name]);
        const victim = await eventually(`${name} serves`, () => ready()[0], readyTimeoutMs, pollMs);
        await api.remove(`/api/v1/namespaces/${namespace}/pods/${victim.pod}`);
        await eventually(
          `${name} has another pod`,
          () => ready().some(({ pod }) => pod !== victim.pod),
          readyTimeoutMs,
          pollMs,
        );
      }
      say(`${deletions} pods were deleted`);
      assert.equal(await Promise.race([loading, "still running"]), "still running", "all that was under load");
      const { code, output, summary } = await loading;
      assert.equal(code, 0, output);
      record("Change under load", [
        `${summary.metrics.http_reqs?.values.count} requests at ${steady.RATE}/s, while all five got a new revision and ${deletions} pods were deleted: ${summary.metrics.http_req_failed?.values.passes ?? 0} failed, ${summary.metrics.orders_confirmed?.values.count ?? 0} orders confirmed.`,
      ]);
      await apply(stage(), lightSleep);
    });
  });
}

/**
 * Traffic on the old revision of every function or on the new one, with an address for the one that has none of it: so the ingress knows both
 * before anything moves and forgets neither while it does. Kourier keeps what it knew for 15 s more; the rig's ingress answers 503 for a moment.
 */
function traffic(old: Record<Name, string>, on: "old" | "new"): Change[] {
  return names.map((name) => {
    const before = { latestRevision: false, revisionName: old[name] };
    const value =
      on === "old"
        ? [
            { ...before, percent: 100 },
            { latestRevision: true, tag: "next" },
          ]
        : [
            { latestRevision: true, percent: 100 },
            { ...before, tag: "before" },
          ];
    return { on: name, op: "replace", path: "/spec/traffic", value };
  });
}

/** Runs a scenario of `loadtest/` against the gateway. */
async function load({ routes }: Stage, scenario: string, env: Record<string, string>): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), "shop-load-"));
  const summary = join(folder, "summary.json");
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const host = await routes.hostOf("gateway");
  const args = [
    "loadtest/runner/load.ts",
    scenario,
    "--target",
    routes.url,
    "--host",
    host,
    "--summary",
    summary,
    "--",
  ];
  args.push(...Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]));
  const child = spawn("bun", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = (await once(child, "close")) as [number];
  const text = await readFile(summary, "utf8").catch(() => "");
  await rm(folder, { recursive: true });
  if (text === "") throw new Error(`Cannot run ${scenario}: ${output}`);
  return { code, output, summary: JSON.parse(text) as Summary };
}
