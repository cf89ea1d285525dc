import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { assertProblem, createWitness, lockTable, unreachableDatabase } from "@shop/platform/testing";
import * as v from "valibot";
import { idempotencyKeyHeader, OrderId, type OrderPage, replayedHeader, subjectHeader } from "./contract.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";
import { fakeInventory, granting, hanging, type Orders, openOrders, refusing } from "./testing.ts";

const { ask, assertDescribed } = createWitness();
const inventory = fakeInventory();
let orders: Orders;

type Asking = { key?: string; subject?: string };

const mintKey = () => crypto.randomUUID();
const mintSubject = () => (crypto.randomUUID() + crypto.randomUUID()).replaceAll("-", "");
const line = { item: "item1", quantity: 2 };

const posting = (body: unknown, { key = mintKey(), subject }: Asking = {}) => ({
  method: "POST",
  headers: {
    "Content-Type": "application/json",
    [idempotencyKeyHeader]: key,
    ...(subject && { [subjectHeader]: subject }),
  },
  body: JSON.stringify(body),
});

const place = (body: unknown, asking: Asking = {}) => ask(orders.app, "/orders", posting(body, asking));

const get = (path: string, subject?: string) =>
  ask(orders.app, path, subject ? { headers: { [subjectHeader]: subject } } : {});

async function placedId(reply: Promise<Response>): Promise<string> {
  const { orderId } = (await (await reply).json()) as { orderId: string };
  return v.parse(OrderId, orderId);
}

async function countOf(key: string): Promise<number> {
  const { rowCount } = await orders.database.pool.query("select from orders where key = $1", [key]);
  return rowCount ?? 0;
}

describe("orders' API", () => {
  before(async () => {
    orders = await openOrders({ inventory: inventory.peer });
  });
  beforeEach(() => inventory.answers(granting()));
  after(() => orders.close());

  describe("placing an order", () => {
    it("takes the stock, fixes the prices and answers 201", async () => {
      inventory.answers(granting(690));
      const reply = await place({ lines: [line, { item: "item2", quantity: 3 }] });
      assert.equal(reply.status, 201);
      const { orderId, ...rest } = (await reply.json()) as { orderId: string };
      assert.deepEqual(rest, {
        success: true,
        message: "Order placed!",
        status: "CONFIRMED",
        lines: [
          { item: "item1", quantity: 2, unitPrice: 690 },
          { item: "item2", quantity: 3, unitPrice: 690 },
        ],
        total: 5 * 690,
        currency: "EUR",
      });
      assert.equal(reply.headers.get("Location"), `orders/${v.parse(OrderId, orderId)}`);
      assert.equal(reply.headers.get(replayedHeader), null);
      assert.deepEqual(inventory.asked.at(-1), {
        method: "PUT",
        path: `/reservations/${orderId}`,
        body: { lines: [line, { item: "item2", quantity: 3 }] },
      });
    });

    it("keeps the customer's lines as they came, though one item stands in several", async () => {
      const lines = [line, { item: "item2", quantity: 1 }, line];
      const reply = await place({ lines });
      const body = (await reply.json()) as { lines: unknown; total: number };
      assert.deepEqual(
        body.lines,
        lines.map((one) => ({ ...one, unitPrice: 100 })),
      );
      assert.equal(body.total, 500);
    });

    it("again with its key: the same status and bytes, marked as replayed, whatever became of the price", async () => {
      const key = mintKey();
      const first = await place(line, { key });
      inventory.answers(granting(999));
      const asked = inventory.asked.length;
      const second = await place(line, { key });
      assert.equal(second.status, 201);
      assert.equal(await second.text(), await first.text());
      assert.equal(second.headers.get("Location"), first.headers.get("Location"));
      assert.equal(first.headers.get(replayedHeader), null);
      assert.equal(second.headers.get(replayedHeader), "true");
      assert.equal(inventory.asked.length, asked, "a settled order asks nobody");
      assert.equal(await countOf(key), 1);
    });

    it("a refusal is a 409 that names the line and the order, and not the item", async () => {
      for (const [code, detail] of [
        ["out_of_stock", "lines[1].quantity is more than is in stock"],
        ["unknown_item", "lines[1].item is not sold here"],
      ] as const) {
        inventory.answers(refusing(code, "planted-item"));
        const reply = await place({ lines: [line, { item: "planted-item", quantity: 1 }] });
        assert.equal(reply.headers.get("Location"), null);
        const text = await reply.clone().text();
        assert.ok(!text.includes("planted-item"), text);
        const problem = await assertProblem(reply, code);
        assert.equal(problem.detail, detail);
        assert.ok(v.is(OrderId, problem.orderId));
      }
    });

    it("a refusal again with its key: the same bytes but for the trace, marked as replayed", async () => {
      inventory.answers(refusing("out_of_stock", "item1"));
      const key = mintKey();
      const first = await place(line, { key });
      inventory.answers(granting());
      const second = await place(line, { key });
      assert.equal(first.headers.get(replayedHeader), null);
      assert.equal(second.headers.get(replayedHeader), "true");
      const [one, two] = [await first.clone().text(), await second.clone().text()];
      const { traceId } = await assertProblem(first, "out_of_stock");
      const again = await assertProblem(second, "out_of_stock");
      assert.notEqual(again.traceId, traceId);
      assert.equal(two.replace(again.traceId, ""), one.replace(traceId, ""));
    });

    it("a key belongs to one body and one visitor for ever", async () => {
      const key = mintKey();
      const subject = mintSubject();
      await place(line, { key, subject });
      for (const [body, asking] of [
        [
          { ...line, quantity: 3 },
          { key, subject },
        ],
        [
          { ...line, item: "item2" },
          { key, subject },
        ],
        [{ lines: [line, line] }, { key, subject }],
        [line, { key, subject: mintSubject() }],
        [line, { key }],
      ] as const) {
        const reply = await place(body, asking);
        assert.equal(reply.headers.get(replayedHeader), null);
        const { detail } = await assertProblem(reply, "key_reused");
        assert.equal(detail, "Idempotency-Key belongs to another order");
      }
      assert.equal(await countOf(key), 1);
    });

    it("the short form, the lines form and another order of fields are one and the same body", async () => {
      const key = mintKey();
      const first = await (await place(line, { key })).text();
      for (const body of [
        { lines: [line] },
        { quantity: 2, item: "item1" },
        { lines: [{ quantity: 2, item: "item1" }] },
      ]) {
        const reply = await place(body, { key });
        assert.equal(reply.status, 201);
        assert.equal(await reply.text(), first);
      }
    });

    it("a key is the same in any case of its letters", async () => {
      const key = mintKey();
      const first = await (await place(line, { key })).text();
      assert.equal(await (await place(line, { key: key.toUpperCase() })).text(), first);
    });

    it("is accepted when inventory does not answer in time: 202 within the deadline, settled by the next call", async () => {
      inventory.answers(hanging);
      const key = mintKey();
      const timeoutMs = 1_000;
      const hasty = orders.openApp({ timeoutMs });
      const startMs = performance.now();
      const reply = await ask(hasty, "/orders", posting(line, { key }));
      assert.ok(performance.now() - startMs < timeoutMs);
      assert.equal(reply.status, 202);
      const { orderId, ...rest } = (await reply.json()) as { orderId: string };
      const message = "Order accepted, not settled yet.";
      assert.deepEqual(rest, { success: true, message, status: "PENDING", lines: [line] });
      assert.equal(reply.headers.get("Location"), `orders/${orderId}`);

      inventory.answers(granting());
      const later = await place(line, { key });
      assert.equal(later.status, 201);
      assert.equal(later.headers.get(replayedHeader), "true");
      assert.equal(await placedId(Promise.resolve(later)), orderId);
    });

    it("an order outside the contract is invalid, by field, and nothing is kept of it", async () => {
      const cases: [body: unknown, detail: string][] = [
        [{ ...line, quantity: 0 }, "quantity should be at least 1"],
        [{ ...line, quantity: 1.5 }, "quantity should be an integer"],
        [{ ...line, quantity: 1e9 }, "quantity should be at most 1000"],
        [{ ...line, item: "planted item" }, "item has a wrong form"],
        [{ lines: [] }, "lines should have at least 1 entries"],
        [{ lines: Array(51).fill(line) }, "lines should have at most 50 entries"],
        [{ lines: [line, { ...line, price: 1 }] }, "lines[1] has an unknown field"],
      ];
      for (const [body, detail] of cases) {
        const key = mintKey();
        const problem = await assertProblem(await place(body, { key }), "invalid");
        assert.equal(problem.detail, detail);
        assert.equal(await countOf(key), 0);
      }
    });

    it("needs a key that is a UUID, and takes no subject that is no hash", async () => {
      const headers = { "Content-Type": "application/json" };
      const without = await ask(orders.app, "/orders", { method: "POST", headers, body: JSON.stringify(line) });
      assert.equal((await assertProblem(without, "invalid")).detail, "idempotency-key is missing");
      const malformed = await assertProblem(await place(line, { key: "planted" }), "invalid");
      assert.equal(malformed.detail, "idempotency-key should be a UUID");
      const impostor = await assertProblem(await place(line, { subject: "anonymous" }), "invalid");
      assert.equal(impostor.detail, "visitor-subject has a wrong form");
    });

    it("refuses what is not JSON or too large", async () => {
      const text = posting(line);
      text.headers["Content-Type"] = "text/plain";
      await assertProblem(await ask(orders.app, "/orders", text), "unsupported_media_type");
      await assertProblem(await place("x".repeat(64 * 1024)), "payload_too_large");
    });
  });

  describe("reading an order", () => {
    it("gives back what was placed, in each of its states", async () => {
      const confirmed = await placedId(place(line));
      inventory.answers(refusing("out_of_stock", "item1"));
      const { orderId: rejected } = await assertProblem(await place(line), "out_of_stock");
      inventory.answers(() => new Response("gone", { status: 404 }));
      const pending = await placedId(place(line));

      const priced = { status: "CONFIRMED", lines: [{ ...line, unitPrice: 100 }], total: 200, currency: "EUR" };
      for (const [orderId, expected] of [
        [confirmed, priced],
        [rejected, { status: "REJECTED", lines: [line], reason: "out_of_stock" }],
        [pending, { status: "PENDING", lines: [line] }],
      ] as const) {
        const reply = await get(`/orders/${orderId}`);
        assert.equal(reply.status, 200);
        const { createdAt, ...rest } = (await reply.json()) as { createdAt: string };
        assert.deepEqual(rest, { orderId, ...expected });
        assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
      }
    });

    it("a visitor's order is not there for anybody else, anonymous included", async () => {
      const subject = mintSubject();
      const orderId = await placedId(place(line, { subject }));
      assert.equal((await get(`/orders/${orderId}`, subject)).status, 200);
      for (const other of [mintSubject(), undefined]) {
        const { detail } = await assertProblem(await get(`/orders/${orderId}`, other), "not_found");
        assert.equal(detail, "there is no such order");
      }
    });

    it("an anonymous order is there for whoever knows its id", async () => {
      const orderId = await placedId(place(line));
      for (const anybody of [mintSubject(), undefined]) {
        assert.equal((await get(`/orders/${orderId}`, anybody)).status, 200);
      }
    });

    it("an unknown id is not found, a malformed one invalid", async () => {
      await assertProblem(await get("/orders/ORDER-00000000-0000-7000-8000-000000000000"), "not_found");
      const { detail } = await assertProblem(await get("/orders/planted"), "invalid");
      assert.equal(detail, "orderId has a wrong form");
    });
  });

  describe("listing orders", () => {
    const page = async (subject: string, query = ""): Promise<OrderPage> => {
      const reply = await get(`/orders${query}`, subject);
      assert.equal(reply.status, 200);
      return (await reply.json()) as OrderPage;
    };

    it("pages through a visitor's own, newest first, without gap or double, though new ones come in", async () => {
      const subject = mintSubject();
      const placed: string[] = [];
      const placeOne = async () => placed.unshift(await placedId(place(line, { subject })));
      for (let n = 0; n < 7; n++) await placeOne();
      await place(line, { subject: mintSubject() });
      await place(line);

      const expected = [...placed];
      const listed: string[] = [];
      let cursor: string | undefined;
      do {
        const { orders, nextCursor } = await page(subject, `?limit=3${cursor ? `&cursor=${cursor}` : ""}`);
        listed.push(...orders.map(({ orderId }) => orderId));
        cursor = nextCursor;
        await placeOne();
      } while (cursor);
      assert.deepEqual(listed, expected);
      assert.deepEqual(
        (await page(subject)).orders.map(({ orderId }) => orderId),
        placed,
      );
    });

    it("ends with a page that has no cursor, an empty one when the last was full", async () => {
      const subject = mintSubject();
      assert.deepEqual(await page(subject), { orders: [] });
      await place(line, { subject });
      const full = await page(subject, "?limit=1");
      assert.equal(full.nextCursor, full.orders[0]?.orderId);
      assert.deepEqual(await page(subject, `?limit=1&cursor=${full.nextCursor}`), { orders: [] });
    });

    it("needs a visitor", async () => {
      const { detail } = await assertProblem(await get("/orders"), "unauthenticated");
      assert.equal(detail, "listing orders needs a visitor");
    });

    it("names what is wrong with the query", async () => {
      for (const limit of ["0", "101", "-1", "1.5", "ten", ""]) {
        const { detail } = await assertProblem(await get(`/orders?limit=${limit}`, mintSubject()), "invalid");
        assert.equal(detail, "limit should be an integer from 1 to 100");
      }
      const { detail } = await assertProblem(await get("/orders?cursor=planted", mintSubject()), "invalid");
      assert.equal(detail, "cursor has a wrong form");
    });
  });

  describe("in trouble", () => {
    const requests: [path: string, init: () => RequestInit][] = [
      ["/orders", () => posting(line)],
      ["/orders", () => ({ headers: { [subjectHeader]: mintSubject() } })],
      ["/orders/ORDER-00000000-0000-7000-8000-000000000000", () => ({})],
    ];

    it("without its database every route is unavailable, and asks nothing of inventory", async () => {
      const asked = inventory.asked.length;
      const store = createStore(unreachableDatabase());
      const on = createService({ store, inventory: inventory.peer, metrics: orders.telemetry.metrics });
      const app = orders.openApp({ on });
      for (const [path, init] of requests) {
        const reply = await ask(app, path, init());
        assert.equal(reply.headers.get("Retry-After"), "1");
        await assertProblem(reply, "unavailable");
      }
      assert.equal(inventory.asked.length, asked);
    });

    it("a database too slow for the deadline is given up", async () => {
      const app = orders.openApp({ timeoutMs: 100 });
      const lock = await lockTable(orders.database, "orders");
      try {
        for (const [path, init] of requests) await assertProblem(await ask(app, path, init()), "deadline_exceeded");
      } finally {
        await lock.release();
      }
    });

    it("no log line has a key in it", async () => {
      const key = mintKey();
      inventory.answers(() => new Response("gone", { status: 404 }));
      await place(line, { key });
      await place({ ...line, quantity: 3 }, { key });
      await place({ ...line, quantity: 0 }, { key });
      assert.match(orders.telemetry.text(), /order stays pending/);
      assert.ok(!orders.telemetry.text().includes(key));
    });
  });

  it("describes every answer that these tests have seen, and no other", () => assertDescribed(orders.app));
});
