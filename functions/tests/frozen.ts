import assert from "node:assert/strict";
import type { RunningProcess } from "@shop/dev/process";
import { placeOrder } from "./customer.ts";
import type { Scene } from "./scene.ts";

/** Freezes inventory; asserts that an order is accepted within `deadlineMs`, and settled once inventory is back. */
export async function freezeInventory({ shop, ledger, orderOf }: Scene, deadlineMs: number): Promise<void> {
  const accepted = await whileFrozen(shop.process("inventory"), deadlineMs, () =>
    Promise.all([placeOrder(shop.gatewayUrl), placeOrder(shop.gatewayUrl)]),
  );
  for (const { status, headers, text, orderId, key } of accepted) {
    assert.equal(status, 202, text);
    assert.equal(headers.get("Location"), `orders/${orderId}`);
    assert.equal(headers.get("Idempotency-Key"), key);
  }

  const [first, second] = accepted;
  const retry = await placeOrder(shop.gatewayUrl, { key: first.key });
  assert.equal(retry.status, 201, retry.text);
  assert.equal(retry.orderId, first.orderId);
  assert.equal(await shop.settle(), 0);
  assert.deepEqual(await orderOf(second.key), { id: second.orderId, status: "CONFIRMED" });
  assert.deepEqual(await ledger.breaches({ settled: true }), []);
}

/** Freezes orders; asserts that the gateway says so within `deadlineMs`, and that the key's retry is one order. */
export async function freezeOrders({ shop, ledger, orderOf }: Scene, deadlineMs: number): Promise<void> {
  const [unanswered, list] = await whileFrozen(shop.process("orders"), deadlineMs, () =>
    Promise.all([
      placeOrder(shop.frontendUrl),
      fetch(`${shop.gatewayUrl}/api/orders`, { headers: { Cookie: `visitor=${crypto.randomUUID()}` } }),
    ]),
  );
  assert.equal(unanswered.status, 504, unanswered.text);
  assert.equal(JSON.parse(unanswered.text).code, "deadline_exceeded");
  assert.equal(list.status, 504, await list.text());

  const retry = await placeOrder(shop.gatewayUrl, { key: unanswered.key });
  assert.equal(retry.status, 201, retry.text);
  assert.deepEqual(await orderOf(unanswered.key), { id: retry.orderId, status: "CONFIRMED" });
  assert.deepEqual(await ledger.breaches({ settled: true }), []);
}

async function whileFrozen<T>(process: RunningProcess, deadlineMs: number, work: () => Promise<T>): Promise<T> {
  process.signal("SIGSTOP");
  try {
    const startMs = performance.now();
    const result = await work();
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < deadlineMs, `took ${Math.round(tookMs)} ms of ${deadlineMs}`);
    return result;
  } finally {
    process.signal("SIGCONT");
  }
}
