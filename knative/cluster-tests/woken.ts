import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { median, quantile, shuffled } from "../../functions/tests/bench/statistics.ts";
import { bareService } from "./bare.ts";
import type { Name } from "./environment.ts";
import type { Life } from "./pods.ts";
import { full, ms, record } from "./results.ts";
import { placeOrder, type Reply } from "./routes.ts";
import { readMetrics, valueIn } from "./scrape.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { asleep } from "./state.ts";

const cycles = full ? 20 : 2;
const sleepTimeoutMs = 120_000;
/** By the median, to one function's wake: a chain wakes one function after the other. The short form has few cycles beside other work. */
const slack = full ? 1 : 1.4;
const partChainMax = 2.2 * slack;
const wholeChainMax = 3.3 * slack;
/** A gateway that answers so soon is awake, and the cluster has done with its wake. */
const awakeMs = 30;
const restMs = 500;
const bootPhases = ["modules", "config", "listen"] as const;

const whats = {
  bare: "a bare Bun function (floor)",
  token: "the same, which mounts a token of the API server",
  one: "one function: users, with its database",
  part: "an order, gateway awake: orders, inventory",
  whole: "an order, all asleep: gateway, orders, inventory",
};
type What = keyof typeof whats;

export function woken(stage: () => Stage): void {
  describe("asleep", () => {
    before(() => apply(stage(), lightSleep));

    it("answers the first order with 201", async () => {
      const { api, routes, say } = stage();
      await asleep(api, sleepTimeoutMs);
      const { status, text, headers, tookMs } = await placeOrder(routes, "frontend");
      assert.equal(status, 201, text);
      for (const name of ["frontend", "gateway", "orders", "inventory"]) {
        assert.match(`${headers["server-timing"]}`, new RegExp(`desc="${name}"`));
      }
      say(`the first order at zero took ${ms(tookMs)} ms`);
    });

    it("wakes in the time of its wakes: one function, gateway awake and the rest asleep, all asleep", async () => {
      const { api, routes, pods, say } = stage();
      await using bare = await bareService(stage());
      await using token = await bareService(stage(), { token: true });
      const took: Record<What, number[]> = { bare: [], token: [], one: [], part: [], whole: [] };
      const stories: Record<string, number>[] = [];
      const wake: Record<What, () => Promise<void>> = {
        bare: async () => note("bare", await routes.ask(bare.name, "/"), []),
        token: async () => note("token", await routes.ask(token.name, "/"), []),
        one: async () => {
          const reply = await routes.ask("users", "/users");
          note("one", reply, ["users"]);
          const life = await eventually("the pod of users is known", () => pods.of("users").at(-1));
          stories.push(await storyOf(reply, life));
        },
        part: async () => {
          const awake = async () => (await routes.ask("gateway", "/openapi.json")).tookMs < awakeMs;
          await eventually("gateway is awake", awake, sleepTimeoutMs, restMs);
          note("part", await placeOrder(routes), ["orders", "inventory"]);
        },
        whole: async () => note("whole", await placeOrder(routes), ["gateway", "orders", "inventory"]),
      };
      function note(what: What, { status, text, tookMs, headers }: Reply, woke: Name[]): void {
        assert.ok(status === 200 || status === 201, `${what}: ${status} ${text}`);
        const cold = `${headers["server-timing"]}`.matchAll(/cold;dur=[\d.]+;desc="([a-z]+)"/g);
        assert.deepEqual(Array.from(cold, ([, name]) => name).sort(), woke.toSorted(), `what ${what} woke`);
        took[what].push(tookMs);
      }

      for (let cycle = 0; cycle < cycles; cycle++) {
        for (const round of shuffled<What[]>([shuffled<What>(["bare", "token", "one", "whole"]), ["part"]])) {
          await asleep(api, sleepTimeoutMs, ["gateway", "orders", "inventory", "users", bare.name, token.name]);
          for (const what of round) await wake[what]();
        }
        say(
          `cycle ${cycle + 1} of ${cycles}: ${Object.entries(took)
            .map(([what, all]) => `${what} ${ms(all.at(-1) ?? 0)}`)
            .join(", ")} ms`,
        );
      }

      record("Wakes", tablesOf(took, stories)); // also where it takes too long: that is what one wants to see then
      const one = median(took.one);
      assert.ok(median(took.part) / one <= partChainMax, `gateway awake: ${(median(took.part) / one).toFixed(2)}`);
      assert.ok(median(took.whole) / one <= wholeChainMax, `all asleep: ${(median(took.whole) / one).toFixed(2)}`);
    });
  });
}

/** The two tables: what each wake took, and where the time of one function went. */
function tablesOf(took: Record<What, number[]>, stories: Record<string, number>[]): string[] {
  const one = median(took.one);
  const slowest = stories[took.one.indexOf(Math.max(...took.one))] ?? {};
  return [
    `${cycles} wakes of each, one after the other, in random order.`,
    "",
    "| what wakes | p50, ms | p95, ms | p50 to one function |",
    "|---|---|---|---|",
    ...(Object.keys(whats) as What[]).map((what) => {
      const p50 = median(took[what]);
      return `| ${whats[what]} | ${ms(p50)} | ${ms(quantile(took[what], 0.95))} | ${(p50 / one).toFixed(2)} |`;
    }),
    "",
    "Where the time of one function goes, medians, and its slowest wake:",
    "",
    "| part | p50, ms | share | slowest, ms |",
    "|---|---|---|---|",
    ...Object.keys(slowest).map((part) => {
      const p50 = median(stories.map((story) => story[part] ?? 0));
      return `| ${part} | ${ms(p50)} | ${((p50 * 100) / one).toFixed(0)} % | ${ms(slowest[part] ?? 0)} |`;
    }),
  ];
}

/** What the time of one waking request was spent on, in milliseconds; the last part is what is left. */
async function storyOf({ sentMs, tookMs }: Reply, life: Life): Promise<Record<string, number>> {
  const text = await readMetrics(life.address ?? "");
  const phase = (name: string) => valueIn(text, `function_cold_start_seconds{phase="${name}"`) * 1_000;
  const listeningMs = valueIn(text, "function_boots_created") * 1_000;
  const boot = Object.fromEntries(bootPhases.map((name) => [name, phase(name)]));
  const startedMs = listeningMs - Object.values(boot).reduce((sum, one) => sum + one);
  const scheduledMs = life.scheduledMs ?? life.createdMs;
  const story: Record<string, number> = {
    "ingress, activator, autoscaler: until there is a pod": life.createdMs - sentMs,
    scheduling: scheduledMs - life.createdMs,
    "sandbox and container: until the process starts": startedMs - scheduledMs,
    "boot: modules": boot.modules ?? 0,
    "boot: config": boot.config ?? 0,
    "boot: listen": boot.listen ?? 0,
    "probes and activator: until the request is there": phase("idle"),
    "first answer": phase("first_request"),
  };
  const accountedMs = Object.values(story).reduce((sum, one) => sum + one);
  return { ...story, "the way back": tookMs - accountedMs };
}
