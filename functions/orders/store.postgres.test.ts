import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { testCall } from "@shop/platform/testing";
import { v7 as uuidv7 } from "uuid";
import type { Settlement } from "./store.ts";
import { fakeInventory, type Orders, openOrders } from "./testing.ts";

let orders: Orders;

const newOrder = (key: string = crypto.randomUUID(), subject = "anonymous") => ({
  id: `ORDER-${uuidv7()}`,
  key,
  subject,
  bodySha256: "0".repeat(64),
  lines: [{ item: "item1", quantity: 2 }],
});
const granted = (unitPrice: number, total = 2 * unitPrice): Settlement => ({
  outcome: "granted",
  prices: [{ item: "item1", unitPrice }],
  currency: "EUR",
  total,
});
const refused: Settlement = { outcome: "refused", reason: { code: "out_of_stock", item: "item1" } };

describe("orders' store", () => {
  before(async () => {
    orders = await openOrders({ inventory: fakeInventory().peer });
  });
  after(() => orders.close());

  it("one key placed many times at once is one order, created once", async () => {
    const key = crypto.randomUUID();
    const placed = await Promise.all(Array.from({ length: 20 }, () => orders.store.place(newOrder(key), testCall())));
    assert.equal(new Set(placed.map(({ order }) => order.id)).size, 1);
    assert.equal(placed.filter(({ created }) => created).length, 1);
  });

  it("the first settlement stands", async () => {
    for (const [first, second, status] of [
      [granted(100), refused, "CONFIRMED"],
      [refused, granted(100), "REJECTED"],
      [granted(100), granted(999), "CONFIRMED"],
    ] as const) {
      const order = newOrder();
      await orders.store.place(order, testCall());
      const settled = await orders.store.settle(order.id, first, testCall());
      assert.deepEqual([settled.order.status, settled.settled], [status, true]);
      const again = await orders.store.settle(order.id, second, testCall());
      assert.deepEqual(again, { order: settled.order, settled: false });
    }
  });

  it("one order settled many times at once is settled by one of them", async () => {
    const order = newOrder();
    await orders.store.place(order, testCall());
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => orders.store.settle(order.id, granted(100), testCall())),
    );
    assert.equal(answers.filter(({ settled }) => settled).length, 1);
    for (const { order } of answers) assert.deepEqual(order, answers[0]?.order);
  });

  it("a total beyond 32 bits comes back as it was", async () => {
    const order = newOrder();
    await orders.store.place(order, testCall());
    const total = Number.MAX_SAFE_INTEGER;
    const { order: row } = await orders.store.settle(order.id, granted(1, total), testCall());
    assert.equal(row.status === "CONFIRMED" && row.total, total);
  });

  it("lists what is pending oldest first, and a subject's orders newest first", async () => {
    const placed = [newOrder(undefined, "s"), newOrder(undefined, "s"), newOrder(undefined, "s")];
    for (const order of placed.toReversed()) await orders.store.place(order, testCall());
    const ids = placed.map(({ id }) => id);
    const [first = "", second = ""] = ids;
    const pending = await orders.store.pending(2, first, testCall());
    assert.deepEqual(
      pending.map(({ id }) => id),
      ids.slice(1),
    );
    const listed = await orders.store.ofSubject("s", 3, undefined, testCall());
    assert.deepEqual(
      listed.map(({ id }) => id),
      ids.toReversed(),
    );
    const older = await orders.store.ofSubject("s", 3, second, testCall());
    assert.deepEqual(
      older.map(({ id }) => id),
      [first],
    );
  });

  it("one exclusive work at a time, and its lock ends with it, also when it fails", async () => {
    let inside: boolean | undefined;
    const outside = await orders.store.exclusively(async () => {
      inside = await orders.store.exclusively(async () => assert.fail("runs beside another"));
    });
    assert.deepEqual([outside, inside], [true, false]);

    const failing = orders.store.exclusively(async () => {
      throw new Error("planted");
    });
    await assert.rejects(failing, /planted/);
    assert.equal(await orders.store.exclusively(async () => {}), true);
  });
});
