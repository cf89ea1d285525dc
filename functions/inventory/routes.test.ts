import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertProblem, createWitness, lockTable, unreachableDatabase } from "@shop/platform/testing";
import { createStore } from "./store.postgres.ts";
import { type Inventory, mintOrderId, openApp, openInventory } from "./testing.ts";

const { ask, assertDescribed } = createWitness();
let inventory: Inventory;

const get = (path: string) => ask(inventory.app, path);

const put = (body: unknown) => ({
  method: "PUT",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const reserve = (orderId: string, ...lines: [item: string, quantity: number][]) =>
  ask(inventory.app, `/reservations/${orderId}`, put({ lines: lines.map(([item, quantity]) => ({ item, quantity })) }));

async function answer(reply: Promise<Response>): Promise<unknown> {
  const response = await reply;
  assert.equal(response.status, 200);
  return response.json();
}

describe("inventory's API", () => {
  before(async () => {
    inventory = await openInventory();
  });
  after(() => inventory.close());

  it("lists the available units of every item", async () => {
    const item = await inventory.addItem({ stock: 7 });
    const stock = (await answer(get("/inventory"))) as Record<string, number>;
    assert.equal(stock[item], 7);
  });

  it("lists every product, in item order", async () => {
    const first = await inventory.addItem({ price: 1450, stock: 7 });
    const second = await inventory.addItem({ price: 0, stock: 0 });
    const { products } = (await answer(get("/products"))) as { products: { item: string }[] };
    assert.deepEqual(
      products.filter(({ item }) => item === first || item === second),
      [
        { item: first, name: first, price: 1450, currency: "EUR", available: 7 },
        { item: second, name: second, price: 0, currency: "EUR", available: 0 },
      ],
    );
  });

  it("shows one product, and answers 404 for what is not sold here", async () => {
    const item = await inventory.addItem({ price: 690, stock: 3 });
    const product = await answer(get(`/products/${item}`));
    assert.deepEqual(product, { item, name: item, price: 690, currency: "EUR", available: 3 });
    const { detail } = await assertProblem(await get("/products/nothing"), "not_found");
    assert.equal(detail, "item is not sold here");
    await assertProblem(await get("/products/No%20Item"), "invalid");
  });

  it("a reservation takes the stock and fixes the prices, in item order", async () => {
    const first = await inventory.addItem({ price: 100, stock: 10 });
    const second = await inventory.addItem({ price: 250, stock: 10 });
    assert.deepEqual(await answer(reserve(mintOrderId(), [second, 1], [first, 4])), {
      outcome: "granted",
      prices: [
        { item: first, unitPrice: 100 },
        { item: second, unitPrice: 250 },
      ],
      currency: "EUR",
    });
    assert.equal(await inventory.available(first), 6);
    assert.equal(await inventory.available(second), 9);
  });

  it("the same reservation again has the same bytes, whatever became of price and stock, and takes nothing more", async () => {
    const item = await inventory.addItem({ price: 100, stock: 10 });
    const orderId = mintOrderId();
    const first = await (await reserve(orderId, [item, 10])).text();
    await inventory.database.pool.query("update items set price = 999 where item = $1", [item]);
    assert.equal(await (await reserve(orderId, [item, 10])).text(), first);
    assert.equal(await inventory.available(item), 0);
  });

  it("several lines of one item count as one, in whatever order they come", async () => {
    const item = await inventory.addItem({ stock: 10 });
    const other = await inventory.addItem({ stock: 10 });
    const orderId = mintOrderId();
    const first = await answer(reserve(orderId, [item, 2], [other, 1], [item, 3]));
    assert.equal(await inventory.available(item), 5);
    assert.deepEqual(await answer(reserve(orderId, [other, 1], [item, 5])), first);
    assert.equal(await inventory.available(item), 5);
  });

  it("several lines of one item are refused when only each by itself is in stock", async () => {
    const item = await inventory.addItem({ stock: 10 });
    const reason = { code: "out_of_stock", item };
    assert.deepEqual(await answer(reserve(mintOrderId(), [item, 6], [item, 5])), { outcome: "refused", reason });
    assert.equal(await inventory.available(item), 10);
  });

  it("a reservation is all or nothing: what is out of stock leaves the other lines untouched", async () => {
    const plenty = await inventory.addItem({ stock: 10 });
    const scarce = await inventory.addItem({ stock: 1 });
    const reason = { code: "out_of_stock", item: scarce };
    assert.deepEqual(await answer(reserve(mintOrderId(), [plenty, 2], [scarce, 2])), { outcome: "refused", reason });
    assert.equal(await inventory.available(plenty), 10);
    assert.equal(await inventory.available(scarce), 1);
  });

  it("an unknown item is refused as such, and leaves the other lines untouched", async () => {
    const item = await inventory.addItem({ stock: 10 });
    const reason = { code: "unknown_item", item: "unheard-of" };
    assert.deepEqual(await answer(reserve(mintOrderId(), [item, 2], ["unheard-of", 1])), {
      outcome: "refused",
      reason,
    });
    assert.equal(await inventory.available(item), 10);
  });

  it("a refusal stands, though the stock has come back", async () => {
    const item = await inventory.addItem({ stock: 1 });
    const orderId = mintOrderId();
    const first = await (await reserve(orderId, [item, 2])).text();
    await inventory.database.pool.query("update items set initial = 100, available = 100 where item = $1", [item]);
    assert.equal(await (await reserve(orderId, [item, 2])).text(), first);
    assert.equal(await inventory.available(item), 100);
  });

  it("other lines under an order id that is taken are refused, and take nothing", async () => {
    const item = await inventory.addItem({ stock: 10 });
    const orderId = mintOrderId();
    await answer(reserve(orderId, [item, 1]));
    const { detail } = await assertProblem(await reserve(orderId, [item, 2]), "key_reused");
    assert.equal(detail, "orderId has a reservation of other lines");
    assert.equal(await inventory.available(item), 9);
  });

  describe("inventory_stock_level", () => {
    const level = (item: string) => inventory.telemetry.value("inventory_stock_level", { item });

    it("is what was last read, of every item or of one", async () => {
      const [item, empty] = [await inventory.addItem({ stock: 7 }), await inventory.addItem({ stock: 0 })];
      assert.equal(await level(item), undefined);
      for (const [path, available] of [
        ["/inventory", 6],
        ["/products", 5],
      ] as const) {
        await inventory.database.pool.query("update items set available = $2 where item = $1", [item, available]);
        await answer(get(path));
        assert.deepEqual([await level(item), await level(empty)], [available, 0]);
      }
      await inventory.database.pool.query("update items set available = 4 where item = $1", [item]);
      await answer(get(`/products/${item}`));
      assert.equal(await level(item), 4);
    });

    it("is what a reservation left of each of its items", async () => {
      const [one, other] = [await inventory.addItem({ stock: 10 }), await inventory.addItem({ stock: 5 })];
      await answer(reserve(mintOrderId(), [one, 4], [other, 5]));
      assert.deepEqual([await level(one), await level(other)], [6, 0]);
    });

    it("stays where a reservation is refused, is of other lines than its first, or is that again", async () => {
      const [plenty, scarce] = [await inventory.addItem({ stock: 10 }), await inventory.addItem({ stock: 1 })];
      const orderId = mintOrderId();
      await answer(reserve(orderId, [plenty, 3]));
      await answer(get("/inventory"));
      for (const takesNothing of [
        () => reserve(mintOrderId(), [plenty, 2], [scarce, 2]),
        () => reserve(orderId, [plenty, 2]),
        () => reserve(orderId, [plenty, 3]),
      ]) {
        await takesNothing();
        assert.deepEqual([await level(plenty), await level(scarce)], [7, 1]);
      }
    });
  });

  it("two orders racing for the last item: one wins, one is refused", async () => {
    const item = await inventory.addItem({ stock: 1 });
    const answers = await Promise.all([mintOrderId(), mintOrderId()].map((id) => answer(reserve(id, [item, 1]))));
    const outcomes = (answers as { outcome: string }[]).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes.sort(), ["granted", "refused"]);
    assert.equal(await inventory.available(item), 0);
  });

  it("a reservation outside the contract is invalid, by field", async () => {
    const line = { item: "item1", quantity: 1 };
    const cases: [body: unknown, detail: string][] = [
      [{}, "lines is missing"],
      [{ lines: [] }, "lines should have at least 1 entries"],
      [{ lines: Array(51).fill(line) }, "lines should have at most 50 entries"],
      [{ lines: [line, { ...line, quantity: 0 }] }, "lines[1].quantity should be at least 1"],
      [{ lines: [{ ...line, quantity: 1001 }] }, "lines[0].quantity should be at most 1000"],
      [{ lines: [{ ...line, item: "Item 1" }] }, "lines[0].item has a wrong form"],
    ];
    for (const [body, detail] of cases) {
      const problem = await assertProblem(
        await ask(inventory.app, `/reservations/${mintOrderId()}`, put(body)),
        "invalid",
      );
      assert.equal(problem.detail, detail);
    }
    const { detail } = await assertProblem(await reserve("ORDER-1", ["item1", 1]), "invalid");
    assert.equal(detail, "orderId has a wrong form");
  });

  it("a reservation that is not JSON or too large is refused as such", async () => {
    const path = `/reservations/${mintOrderId()}`;
    const text = { ...put({ lines: [] }), headers: { "Content-Type": "text/plain" } };
    await assertProblem(await ask(inventory.app, path, text), "unsupported_media_type");
    await assertProblem(await ask(inventory.app, path, put("x".repeat(64 * 1024))), "payload_too_large");
  });

  const requests: [path: string, init: () => RequestInit][] = [
    ["/inventory", () => ({})],
    ["/products", () => ({})],
    ["/products/item1", () => ({})],
    [`/reservations/${mintOrderId()}`, () => put({ lines: [{ item: "item1", quantity: 1 }] })],
  ];

  it("without its database every route is unavailable, and says when to come back", async () => {
    const app = openApp({ store: createStore(unreachableDatabase()) });
    for (const [path, init] of requests) {
      const reply = await ask(app, path, init());
      assert.equal(reply.headers.get("Retry-After"), "1");
      const { detail } = await assertProblem(reply, "unavailable");
      assert.equal(detail, "the database is not available");
    }
  });

  it("a database too slow for the deadline is given up, and keeps nothing of it", async () => {
    const before = await inventory.available("item1");
    const app = openApp({ store: inventory.store, timeoutMs: 100 });
    const lock = await lockTable(inventory.database, "items");
    try {
      for (const [path, init] of requests) await assertProblem(await ask(app, path, init()), "deadline_exceeded");
    } finally {
      await lock.release();
    }
    const { rows } = await inventory.database.pool.query("select from reservations where order_id = $1", [
      requests.at(-1)?.[0].split("/").at(-1),
    ]);
    assert.equal(rows.length, 0);
    assert.equal(await inventory.available("item1"), before);
  });

  it("describes every answer that these tests have seen, and no other", () => assertDescribed(inventory.app));
});
