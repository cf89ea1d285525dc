import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Counter, openCounter } from "../races/counter.ts";

let counter: Counter;
let item: string;
let orderId: string;

const inInventory = (sql: string, values: unknown[]) => counter.inventory.database.pool.query(sql, values);
const inOrders = (sql: string, values: unknown[]) => counter.orders.database.pool.query(sql, values);
const unsettle = `update orders set status = 'PENDING', prices = null, total = null, currency = null, settled_at = null where id = $1`;

describe("the invariant", () => {
  before(async () => {
    counter = await openCounter();
  });
  beforeEach(async () => {
    await inInventory("truncate items, reservations", []);
    await inOrders("truncate orders", []);
    item = await counter.inventory.addItem({ stock: 10 });
    const reply = await counter.buy({ item, quantity: 3 });
    ({ orderId } = (await reply.json()) as { orderId: string });
  });
  after(() => counter.close());

  it("holds after an order", async () => {
    assert.deepEqual(await counter.ledger.breaches(), []);
    assert.deepEqual(await counter.ledger.breaches({ settled: true }), []);
  });

  it("names an item whose units do not add up", async () => {
    await inInventory("update items set available = available - 1 where item = $1", [item]);
    const breach = `${item}: initial 10 is not available 6 + granted 3`;
    assert.deepEqual(await counter.ledger.breaches(), [breach]);
  });

  it("names a grant of an item that is gone", async () => {
    await inInventory("delete from items where item = $1", [item]);
    assert.equal((await counter.ledger.breaches()).length, 1);
  });

  it("names a grant whose order is missing", async () => {
    await inOrders("delete from orders where id = $1", [orderId]);
    assert.deepEqual(await counter.ledger.breaches(), [`${orderId}: granted, but its order is missing`]);
  });

  it("names a grant whose order was rejected", async () => {
    await inOrders(unsettle, [orderId]);
    await inOrders("update orders set status = 'REJECTED', reason = '{}', settled_at = now() where id = $1", [orderId]);
    assert.deepEqual(await counter.ledger.breaches(), [`${orderId}: granted, but its order is REJECTED`]);
  });

  it("suffers a grant whose order is pending, until all should be settled", async () => {
    await inOrders(unsettle, [orderId]);
    assert.deepEqual(await counter.ledger.breaches(), []);
    assert.deepEqual(await counter.ledger.breaches({ settled: true }), [
      `${orderId}: granted, but its order is PENDING`,
      `${orderId}: still pending`,
    ]);
  });

  it("names an order that was confirmed without a grant", async () => {
    await inInventory("update items set available = initial where item = $1", [item]);
    await inInventory("delete from reservations where order_id = $1", [orderId]);
    assert.deepEqual(await counter.ledger.breaches({ settled: true }), [
      `${orderId}: confirmed, but nothing was granted`,
    ]);
  });
});
