import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import fc from "fast-check";
import { type Placed, placeOrder } from "./customer.ts";
import type { Scene } from "./scene.ts";

type Victim = "orders" | "inventory";
type Crash = {
  victim: Victim;
  /** As `fixtures/mortal.ts` reads it. */
  dies: string;
  /** The order's status that the crash leaves behind; undefined for no order. */
  leaves: "PENDING" | "CONFIRMED" | undefined;
  /** Whether it leaves the stock taken. */
  granted: boolean;
};

/** Every step of an order at which a process can die, before and after it. */
export const crashes: readonly Crash[] = [
  { victim: "orders", dies: "before place", leaves: undefined, granted: false },
  { victim: "orders", dies: "before commit", leaves: undefined, granted: false },
  { victim: "orders", dies: "after place", leaves: "PENDING", granted: false },
  { victim: "orders", dies: "before request", leaves: "PENDING", granted: false },
  { victim: "inventory", dies: "before reserve", leaves: "PENDING", granted: false },
  { victim: "inventory", dies: "before commit", leaves: "PENDING", granted: false },
  { victim: "inventory", dies: "after reserve", leaves: "PENDING", granted: true },
  { victim: "orders", dies: "after request", leaves: "PENDING", granted: true },
  { victim: "orders", dies: "before settle", leaves: "PENDING", granted: true },
  { victim: "orders", dies: "after settle", leaves: "CONFIRMED", granted: true },
];

/** Lets a process die at one step, and asserts that nothing is lost, whichever comes first: maintenance or the customer. */
export async function crashOnce(scene: Scene, crash: Crash, first: "settle" | "retry"): Promise<void> {
  const { shop, ledger } = scene;
  const { victim, dies, leaves, granted } = crash;
  const stock = await scene.available("item1");
  await shop.end(victim);
  await shop.start(victim, { program: `tests/fixtures/${victim}.ts`, env: { DIES: dies } });

  const cut = await placeOrder(shop.gatewayUrl, { quantity: 3 });
  assert.equal(cut.status, victim === "orders" ? 502 : 202, cut.text);
  assert.deepEqual(await shop.process(victim).exited, { code: null, signal: "SIGKILL" });
  const left = await scene.orderOf(cut.key);
  assert.equal(left?.status, leaves);
  assert.equal(left ? await scene.granted(left.id) : false, granted);

  await shop.start(victim);
  const retry = () => placeOrder(shop.gatewayUrl, { key: cut.key, quantity: 3 });
  if (first === "settle") assert.equal(await shop.settle(), 0);
  if (first === "settle") assert.deepEqual(await ledger.breaches({ settled: true }), []);
  const answered = await retry();
  assert.equal(answered.status, 201, answered.text);
  if (left) assert.equal(answered.orderId, left.id);
  assert.equal((await retry()).text, answered.text);
  assert.deepEqual(await ledger.breaches({ settled: true }), []);
  assert.equal(await scene.available("item1"), stock - 3);
}

type Storm = { victim: Victim; rounds: number; seed: number };

const buyers = 8;
const killAfterMaxMs = 300;

/** Kills a process at random moments under load; after each, asserts that every key has its one order and no unit is lost. */
export async function crashUnderLoad(scene: Scene, { victim, rounds, seed }: Storm): Promise<void> {
  const { shop, ledger } = scene;
  const before = await scene.available("item1");
  let keys = 0;
  let pending = 0;
  for (const killAfterMs of fc.sample(fc.nat(killAfterMaxMs), { seed, numRuns: rounds })) {
    const why = `seed ${seed}, ${killAfterMs} ms`;
    const load = Promise.all(Array.from({ length: buyers }, () => buyUntilCut(shop.gatewayUrl)));
    await wait(killAfterMs); // waits for nothing: the moment is what is random
    await shop.end(victim, "SIGKILL");
    const placed = (await load).flat();
    const cut = placed.filter(({ status }) => status !== 201);
    assert.equal(cut.length, buyers, why);
    const left = new Map<string, string>();
    for (const { key } of cut) {
      const order = await scene.orderOf(key);
      if (order) left.set(key, order.id);
      if (order?.status === "PENDING") pending += 1;
    }

    await shop.start(victim);
    assert.equal(await shop.settle(), 0, why);
    assert.deepEqual(await ledger.breaches({ settled: true }), [], why);
    await Promise.all(
      placed.map(async ({ key, orderId }) => {
        const answered = await placeOrder(shop.gatewayUrl, { key });
        assert.equal(answered.status, 201, `${why}: ${answered.text}`);
        assert.equal(answered.orderId, orderId ?? left.get(key) ?? answered.orderId, why);
      }),
    );
    keys += placed.length;
    assert.deepEqual(await ledger.breaches({ settled: true }), [], why);
    assert.equal(await scene.available("item1"), before - keys, why);
  }
  assert.ok(pending > 0, `no order was interrupted half-way: seed ${seed}`);
}

/** Places order after order until one is not confirmed at once. */
async function buyUntilCut(gatewayUrl: string): Promise<Placed[]> {
  const placed: Placed[] = [];
  do {
    placed.push(await placeOrder(gatewayUrl));
  } while (placed.at(-1)?.status === 201);
  return placed;
}
