import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { kubectl } from "./api.ts";
import { type Change, type Name, namespace } from "./environment.ts";
import { openStockedLedger } from "./ledger.ts";
import { full, record } from "./results.ts";
import type { Reply } from "./routes.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";

const clients = 8;
const kills = full ? 30 : 8;
const podsOfEach = 3;
const scale: Change[] = (["orders", "inventory"] as const).map((on: Name) => ({
  on,
  op: "replace",
  path: "/spec/template/metadata/annotations/autoscaling.knative.dev~1min-scale",
  value: `${podsOfEach}`,
}));

export function killed(stage: () => Stage): void {
  it("keeps every order that it has acknowledged, and its stock right, while pods of orders and inventory are killed", async () => {
    const { api, pods, routes, say } = stage();
    await apply(stage(), [...lightSleep, ...scale]);
    const ready = (name: string) => pods.of(name).filter(({ readyMs }) => readyMs);
    await eventually(
      "three pods of each",
      () => ready("orders").length >= podsOfEach && ready("inventory").length >= podsOfEach,
      60_000,
      100,
    );
    await using ledger = await openStockedLedger();
    const acknowledged = new Map<string, string>();
    let confirmed = 0;
    let unclear = 0;
    let loading = true;
    const client = async () => {
      while (loading) {
        const key = crypto.randomUUID();
        const order = () =>
          routes.ask("gateway", "/api/orders", {
            method: "POST",
            body: { item: "item3", quantity: 1 },
            headers: { "Idempotency-Key": key },
          });
        const reply = await order().catch((): Reply | undefined => undefined);
        if (reply && [201, 202, 409].includes(reply.status)) {
          const { orderId } = JSON.parse(reply.text) as { orderId?: string };
          if (orderId) acknowledged.set(key, orderId);
          if (reply.status === 201) confirmed += 1;
        } else unclear += 1;
      }
    };
    try {
      const load = Promise.all(Array.from({ length: clients }, client));
      const breaches: string[] = [];
      for (let i = 0; i < kills; i++) {
        const name = i % 2 === 0 ? "orders" : "inventory";
        const victim = ready(name)[Math.floor(Math.random() * podsOfEach)];
        assert.ok(victim, `a pod of ${name} to kill`);
        await api.remove(`/api/v1/namespaces/${namespace}/pods/${victim.pod}`, { gracePeriodSeconds: 0 });
        breaches.push(...(await ledger.breaches()));
        await eventually(`${name} has its pods again`, () => ready(name).length >= podsOfEach, 60_000, 100);
      }
      loading = false;
      await load;
      assert.deepEqual(breaches, []);
      assert.ok(confirmed > kills, `${confirmed} of ${acknowledged.size} orders were confirmed`);

      const job = "settle-after-kills";
      await kubectl("create", "job", `--namespace=${namespace}`, job, "--from=cronjob/orders-settle");
      await kubectl("wait", `--namespace=${namespace}`, `job/${job}`, "--for=condition=Complete", "--timeout=120s");
      await kubectl("delete", "job", `--namespace=${namespace}`, job);
      assert.deepEqual(await ledger.breaches({ settled: true }), []);
      for (const orderId of acknowledged.values()) {
        assert.equal((await routes.ask("gateway", `/api/orders/${orderId}`)).status, 200, orderId);
      }
      say(`${acknowledged.size} orders acknowledged, ${unclear} unclear, ${kills} pods killed`);
      record("Pods killed", [
        `${kills} pods of orders and inventory killed (SIGKILL) under ${clients} clients: ${acknowledged.size} orders acknowledged (${confirmed} confirmed at once) and all kept, ${unclear} without a clear answer, 0 breaches of the invariants at ${kills} moments and after \`settle\`.`,
      ]);
    } finally {
      loading = false;
    }
    await apply(stage(), lightSleep);
  });
}
