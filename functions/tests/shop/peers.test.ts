import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { deadlineHeader, hopReserveMs } from "@shop/platform/call";
import { listen } from "@shop/platform/testing";
import { placeOrder } from "../customer.ts";
import { faults, openFaultyProxy } from "../faults.ts";
import { freezeInventory, freezeOrders } from "../frozen.ts";
import { untilWaiting, whileLocked } from "../lock.ts";
import { openScene, type Scene } from "../scene.ts";

const timeoutMs = 3_000;

describe("a peer that is frozen, slow or broken", () => {
  let scene: Scene;
  before(async () => {
    scene = await openScene({ env: { gateway: { REQUEST_TIMEOUT_MS: String(timeoutMs) } } });
  });
  after(() => scene.close());

  it("inventory frozen: the order is accepted within the deadline and settled later", () =>
    freezeInventory(scene, timeoutMs));

  it("orders frozen: 504 within the deadline, and the retry is one order", () => freezeOrders(scene, timeoutMs));

  it("whatever a proxy answers instead of inventory: the order is accepted, settled later, and taken once", async () => {
    const { shop, ledger, orderOf, available, granted } = scene;
    const proxy = await openFaultyProxy(shop.urls.inventory);
    await shop.end("orders");
    await shop.start("orders", { env: { INVENTORY_SERVICE_URL: proxy.url } });
    const stock = await available("item1");

    const wishes = ["unasked", "asked, its answer lost"].flatMap((how, round) =>
      faults.map(([name], index) => ({
        name: `${name}, inventory ${how}`,
        quantity: round * faults.length + index + 1,
        taken: round === 1,
      })),
    );
    const accepted = await Promise.all(
      wishes.map(async (wish) => ({ ...wish, ...(await placeOrder(shop.gatewayUrl, { quantity: wish.quantity })) })),
    );
    for (const { name, taken, status, headers, text, key, orderId = "" } of accepted) {
      assert.equal(status, 202, `${name}: ${text}`);
      assert.equal(headers.get("Location"), `orders/${orderId}`, name);
      assert.deepEqual(await orderOf(key), { id: orderId, status: "PENDING" }, name);
      assert.equal(await granted(orderId), taken, name);
    }

    proxy.mend();
    for (const { key, quantity, orderId } of accepted.filter((_, index) => index % 2 === 0)) {
      const retry = await placeOrder(shop.gatewayUrl, { key, quantity });
      assert.deepEqual([retry.status, retry.orderId], [201, orderId], retry.text);
    }
    assert.equal(await shop.settle(), 0);
    for (const { key, orderId } of accepted) assert.deepEqual(await orderOf(key), { id: orderId, status: "CONFIRMED" });
    assert.deepEqual(await ledger.breaches({ settled: true }), []);
    assert.equal(await available("item1"), stock - wishes.reduce((sum, { quantity }) => sum + quantity, 0));
    await proxy.close();
    await shop.end("orders");
    await shop.start("orders");
  });

  it("the deadline goes along: a slow inventory is told when, and sees the request aborted in time", async () => {
    const { shop } = scene;
    const seen = Promise.withResolvers<{ deadlineMs: number; abortedMs: number }>();
    await using slow = await listen(({ headers }, response) => {
      const deadlineMs = Number(headers[deadlineHeader.toLowerCase()]);
      response.once("close", () => seen.resolve({ deadlineMs, abortedMs: Date.now() }));
    });
    await shop.end("orders");
    await shop.start("orders", { env: { INVENTORY_SERVICE_URL: slow.url } });

    const startMs = Date.now();
    const accepted = await placeOrder(shop.gatewayUrl);
    assert.equal(accepted.status, 202, accepted.text);
    const { deadlineMs, abortedMs } = await seen.promise;
    // Gateway and orders keep as much each: one of the two is this machine's slack.
    assert.ok(deadlineMs - startMs < timeoutMs - hopReserveMs, `told ${deadlineMs - startMs} ms`);
    assert.ok(abortedMs - startMs < timeoutMs, `aborted after ${abortedMs - startMs} ms`);
    await shop.end("orders");
    await shop.start("orders");
  });

  it("the deadline ends the SQL: of a call that timed out nothing stays, and no statement runs on", async () => {
    const { shop, ledger, inventory, orderOf, available, granted } = scene;
    const stock = await available("item2");
    const accepted = await whileLocked(inventory, "items", async () => {
      const placing = placeOrder(shop.gatewayUrl, { item: "item2" });
      await untilWaiting(inventory, 1);
      const placed = await placing;
      await untilWaiting(inventory, 0);
      return placed;
    });
    assert.equal(accepted.status, 202, accepted.text);
    const { rowCount } = await inventory.pool.query("select from reservations where order_id = $1", [accepted.orderId]);
    assert.equal(rowCount, 0);
    assert.equal(await available("item2"), stock);

    assert.equal(await shop.settle(), 0);
    assert.deepEqual(await orderOf(accepted.key), { id: accepted.orderId, status: "CONFIRMED" });
    assert.ok(await granted(accepted.orderId ?? ""));
    assert.equal(await available("item2"), stock - 1);
    assert.deepEqual(await ledger.breaches({ settled: true }), []);
  });
});
