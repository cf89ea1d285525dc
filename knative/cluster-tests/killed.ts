import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { kubectl } from "./api.ts";
import { openStockedLedger } from "./database.ts";
import { type Change, type Name, namespace } from "./environment.ts";
import type { Life } from "./pods.ts";
import { full, record } from "./results.ts";
import type { Reply, Routes } from "./routes.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";

const clients = 8;
const kills = full ? 30 : 8;
const podsOfEach = 3;
const readyTimeoutMs = 60_000;
const clearTimeoutMs = 60_000;
const pollMs = 100;
const scale: Change[] = (["orders", "inventory"] as const).map((on: Name) => ({
  on,
  op: "replace",
  path: "/spec/template/metadata/annotations/autoscaling.knative.dev~1min-scale",
  value: `${podsOfEach}`,
}));

type Order = { key: string; status: number; orderId: string };

export function killed(stage: () => Stage): void {
  it("keeps every order that it has acknowledged, and its stock right, while pods of orders and inventory are killed", async () => {
    const { api, pods, routes, say } = stage();
    await apply(stage(), [...lightSleep, ...scale]);
    const ready = (name: string) => pods.of(name).filter(({ readyMs }) => readyMs);
    const complete = (name: string) => ready(name).length >= podsOfEach;
    await eventually("three pods of each", () => complete("orders") && complete("inventory"), readyTimeoutMs, pollMs);
    await using ledger = await openStockedLedger();
    const orders: Order[] = [];
    let unclear = 0;
    let loading = true;
    const client = async () => {
      while (loading) {
        const key = crypto.randomUUID();
        const reply = await eventually(
          "an order has a clear answer",
          async () => {
            const one = await place(routes, key).catch(() => undefined);
            if (one && [201, 202].includes(one.status)) return one;
            unclear += 1;
            return undefined;
          },
          clearTimeoutMs,
          pollMs,
        );
        orders.push({ key, status: reply.status, orderId: JSON.parse(reply.text).orderId });
      }
    };
    const breaches: string[] = [];
    try {
      const load = Promise.all(Array.from({ length: clients }, client));
      load.catch(() => {}); // told below, unless something else fails before
      for (let i = 0; i < kills; i++) {
        const name = i % 2 === 0 ? "orders" : "inventory";
        const victim = ready(name)[Math.floor(Math.random() * podsOfEach)];
        assert.ok(victim, `a pod of ${name} to kill`);
        await kill(victim);
        // In place of a container that starts again after ever longer pauses.
        await api.remove(`/api/v1/namespaces/${namespace}/pods/${victim.pod}`, { gracePeriodSeconds: 0 });
        breaches.push(...(await ledger.breaches()));
        await eventually(`${name} has its pods again`, () => complete(name), readyTimeoutMs, pollMs);
      }
      loading = false;
      await load;
    } finally {
      loading = false;
    }
    assert.deepEqual(breaches, []);
    const confirmed = orders.filter(({ status }) => status === 201).length;
    assert.ok(confirmed > kills, `${confirmed} of ${orders.length} orders were confirmed`);
    assert.ok(unclear + orders.length - confirmed > 0, "some order was under way in a process that was killed");

    const job = "settle-after-kills";
    await kubectl("create", "job", `--namespace=${namespace}`, job, "--from=cronjob/orders-settle");
    await kubectl("wait", `--namespace=${namespace}`, `job/${job}`, "--for=condition=Complete", "--timeout=120s");
    await kubectl("delete", "job", `--namespace=${namespace}`, job);
    assert.deepEqual(await ledger.breaches({ settled: true }), []);
    for (const { key, orderId } of orders) {
      const kept = await routes.ask("gateway", `/api/orders/${orderId}`);
      assert.deepEqual([kept.status, JSON.parse(kept.text).status], [200, "CONFIRMED"], orderId);
      assert.equal(JSON.parse((await place(routes, key)).text).orderId, orderId, "the same key is the same order");
    }
    say(`${orders.length} orders acknowledged, ${unclear} answers unclear, ${kills} pods killed`);
    record("Pods killed", [
      `${kills} processes of orders and inventory, ${podsOfEach} pods each, killed (SIGKILL) under ${clients} clients: ${orders.length} orders acknowledged (${confirmed} confirmed at once), all of them kept and confirmed in the end, one for each key; ${unclear} answers were unclear and asked for again; 0 breaches of the invariants at ${kills} moments and after \`settle\`.`,
    ]);
  });
}

const place = (routes: Routes, key: string): Promise<Reply> =>
  routes.ask("gateway", "/api/orders", {
    method: "POST",
    body: { item: "item3", quantity: 1 },
    headers: { "Idempotency-Key": key },
  });

/** Kills the function in a pod as a node does that runs out of memory: SIGKILL, without a word. The cluster's own delete always gives it two seconds. */
async function kill({ pod, uid }: Life): Promise<void> {
  const id = new RegExp(uid.replaceAll("-", "[-_]")); // as one or the other driver of cgroups writes it
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    if (!id.test(await read("cgroup")) || !(await read("cmdline")).startsWith("/usr/local/bin/bun")) continue;
    return void process.kill(Number(pid), "SIGKILL");
  }
  throw new Error(`Cannot kill the process of "${pod}": it is not seen from here, as it is on a node`);
}
