import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { testCall } from "@shop/platform/testing";
import { type Inventory, mintOrderId, openInventory } from "./testing.ts";

let inventory: Inventory;

describe("inventory's store", () => {
  before(async () => {
    inventory = await openInventory();
  });
  after(() => inventory.close());

  it("one order reserved many times at once has one outcome, and takes the stock once", async () => {
    const item = await inventory.addItem({ price: 100, stock: 10 });
    const orderId = mintOrderId();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => inventory.store.reserve(orderId, [{ item, quantity: 3 }], testCall())),
    );
    for (const { outcome } of answers) {
      assert.deepEqual(outcome, { outcome: "granted", prices: [{ item, unitPrice: 100 }], currency: "EUR" });
    }
    assert.equal(await inventory.available(item), 7);
    const took = answers.map(({ left }) => left).filter((left) => Object.keys(left).length > 0);
    assert.deepEqual(took, [{ [item]: 7 }], "one call alone took it, and says what is left");
  });

  it("nobody sees a reservation without its outcome", async () => {
    const item = await inventory.addItem({ stock: 100 });
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await inventory.store.reserve(mintOrderId(), [{ item, quantity: 1 }], testCall());
        const { rowCount } = await inventory.database.pool.query("select from reservations where outcome is null");
        assert.equal(rowCount, 0);
      }),
    );
  });

  it("the database itself refuses a negative stock", async () => {
    const item = await inventory.addItem({ stock: 1 });
    await assert.rejects(
      inventory.database.pool.query("update items set available = available - 2 where item = $1", [item]),
      /violates check constraint/,
    );
  });
});
