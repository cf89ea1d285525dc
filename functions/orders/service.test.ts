import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Call } from "@shop/platform/call";
import { Problem, type ProblemCode, problemMediaType } from "@shop/platform/problem";
import { aborted, eventually, testCall, testTelemetry } from "@shop/platform/testing";
import { anonymous, createService } from "./service.ts";
import { failing, fakeInventory, granting, type Orders, openOrders, refusing } from "./testing.ts";

const inventory = fakeInventory();
const line = { item: "item1", quantity: 2 };
const lines = [line, { item: "item2", quantity: 1 }];
/** As short as leaves a peer some time within the reserve of a hop. */
const hastyMs = 700;
let orders: Orders;

const place = ({ key = crypto.randomUUID() as string, call = testCall(), by = orders.service } = {}) =>
  by.place({ lines }, key, anonymous, call);

const run = <T>(work: (call: Call) => Promise<T>) => work(testCall());

const nothing = { CONFIRMED: 0, REJECTED: 0, PENDING: 0, EUR: 0 };

/** A further process of orders on the same database, and what it has counted. */
function openProcess(store = orders.store) {
  const { metrics, value } = testTelemetry({ service: "orders" });
  const service = createService({ store, inventory: inventory.peer, metrics });
  const ordersOf = async (status: string) => (await value("orders_total", { status })) ?? 0;
  return {
    service,
    counted: async () => ({
      CONFIRMED: await ordersOf("CONFIRMED"),
      REJECTED: await ordersOf("REJECTED"),
      PENDING: await ordersOf("PENDING"),
      EUR: (await value("orders_value_total", { currency: "EUR" })) ?? 0,
    }),
  };
}

/** Places an order while inventory fails; its id. */
async function placePending(): Promise<string> {
  inventory.answers(failing);
  const { order } = await place();
  assert.equal(order.status, "PENDING");
  return order.id;
}

const statusOf = async (id: string) => (await orders.service.find(id, anonymous, testCall())).status;
const askedFor = (id: string) => inventory.asked.filter(({ path }) => path === `/reservations/${id}`).length;

describe("the saga of an order", () => {
  before(async () => {
    orders = await openOrders({ inventory: inventory.peer });
  });
  beforeEach(() => inventory.answers(granting()));
  after(() => orders.close());

  describe("only inventory's own outcome settles", () => {
    const granted = { outcome: "granted", prices: [{ item: "item1", unitPrice: 1 }], currency: "EUR" };
    const whole = { ...granted, prices: [...granted.prices, { item: "item2", unitPrice: 1 }] };
    const problem = (code: ProblemCode) => () => {
      const { status, ...rest } = new Problem(code, "detail").body("0");
      return Response.json({ status, ...rest }, { status, headers: { "Content-Type": problemMediaType } });
    };
    const cases: [what: string, answer: () => Response][] = [
      ["a proxy's 404", () => new Response("404 page not found\n", { status: 404 })],
      ["a 404 problem", problem("not_found")],
      ["a 409 problem", problem("out_of_stock")],
      ["a 422 problem", problem("key_reused")],
      ["a 500", () => new Response("oops", { status: 500 })],
      ["a proxy's 502", () => new Response("Bad Gateway", { status: 502 })],
      ["a proxy's 503", () => new Response("no healthy upstream", { status: 503 })],
      ["a redirect", () => new Response(null, { status: 302, headers: { Location: "/elsewhere" } })],
      ["an outcome under another status", () => Response.json(whole, { status: 202 })],
      ["an empty 200", () => new Response("")],
      ["a 200 of text", () => new Response("<html>Welcome to nginx!</html>")],
      ["half a JSON", () => new Response('{"outcome":"gran')],
      ["an unknown outcome", () => Response.json({ ...whole, outcome: "held" })],
      ["a grant without prices", () => Response.json({ outcome: "granted", currency: "EUR" })],
      ["a grant without the price of one line", () => Response.json(granted)],
      ["a negative price", () => Response.json({ ...whole, prices: [{ item: "item1", unitPrice: -1 }] })],
      ["a refusal without reason", () => Response.json({ outcome: "refused" })],
      ["endless bytes", () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) }))],
      [
        "a connection refused",
        () => {
          throw new TypeError("fetch failed");
        },
      ],
    ];
    for (const [what, answer] of cases) {
      it(`${what} leaves the order pending, and a later call with the key confirms the same order`, async () => {
        inventory.answers(answer);
        const key = crypto.randomUUID();
        const first = await place({ key, call: testCall({ timeoutMs: hastyMs }) });
        assert.equal(first.order.status, "PENDING");
        inventory.answers(granting());
        const second = await place({ key });
        assert.deepEqual([second.order.id, second.order.status, second.replayed], [first.order.id, "CONFIRMED", true]);
      });
    }

    it("a refusal rejects, once and for ever", async () => {
      inventory.answers(refusing("out_of_stock", "item1"));
      const key = crypto.randomUUID();
      const { order } = await place({ key });
      assert.equal(order.status, "REJECTED");
      inventory.answers(granting());
      assert.deepEqual((await place({ key })).order, order);
    });
  });

  it("a stumbling inventory is asked again within the same call", async () => {
    let attempts = 0;
    inventory.answers((asked, request) =>
      ++attempts < 3 ? new Response("Bad Gateway", { status: 502 }) : granting()(asked, request),
    );
    const { order } = await place();
    assert.equal(order.status, "CONFIRMED");
    assert.equal(askedFor(order.id), 3);
  });

  it("a problem of inventory's own is not asked again", async () => {
    const id = await placePending();
    assert.equal(askedFor(id), 1);
  });

  it("an order that was settled meanwhile answers as settled, though this call heard nothing certain", async () => {
    const held = Promise.withResolvers<void>();
    inventory.answers(async (asked, request) => {
      await held.promise;
      return failing(asked, request);
    });
    const before = inventory.asked.length;
    const placing = place();
    const id = await eventually("inventory is asked", () => inventory.asked[before]?.path.split("/").at(-1));
    const prices = [{ item: "item1", unitPrice: 1 }];
    await orders.store.settle(id, { outcome: "granted", prices, currency: "EUR", total: 2 }, testCall());
    held.resolve();
    const { order } = await placing;
    assert.deepEqual([order.id, order.status], [id, "CONFIRMED"]);
  });

  it("an order granted but not recorded is confirmed by the next call", async () => {
    const store = {
      ...orders.store,
      settle: async () => {
        throw new Problem("unavailable", "the database is not available");
      },
    };
    const { service } = openProcess(store);
    const key = crypto.randomUUID();
    await assert.rejects(service.place({ lines }, key, anonymous, testCall()), { code: "unavailable" });
    const { order, replayed } = await place({ key });
    assert.equal(replayed, true);
    assert.equal(order.status, "CONFIRMED");
  });

  describe("counts", () => {
    it("an order and its value in the process that settles it, once, though two drive it at once", async () => {
      const [one, other] = [openProcess(), openProcess()];
      const both = Promise.withResolvers<void>();
      let asking = 0;
      inventory.answers(async (asked, request) => {
        if (++asking === 2) both.resolve();
        await both.promise;
        return granting()(asked, request);
      });
      const key = crypto.randomUUID();
      const placed = await Promise.all([one, other].map(({ service }) => place({ key, by: service })));
      assert.deepEqual(new Set(placed.map(({ order }) => order.status)), new Set(["CONFIRMED"]));
      const counts = [await one.counted(), await other.counted()].sort((a, b) => b.EUR - a.EUR);
      assert.deepEqual(counts, [{ ...nothing, CONFIRMED: 1, EUR: 300 }, nothing]);
    });

    it("a refusal as such, without a value", async () => {
      inventory.answers(refusing("out_of_stock", "item1"));
      const { service, counted } = openProcess();
      await place({ by: service });
      assert.deepEqual(await counted(), { ...nothing, REJECTED: 1 });
    });

    it("nothing of an order that stays pending, and nothing of a replay", async () => {
      const { service, counted } = openProcess();
      const key = crypto.randomUUID();
      inventory.answers(failing);
      await place({ key, by: service });
      assert.deepEqual(await counted(), nothing);
      inventory.answers(granting());
      for (let n = 0; n < 3; n++) await place({ key, by: service });
      assert.deepEqual(await counted(), { ...nothing, CONFIRMED: 1, EUR: 300 });
      const restarted = openProcess();
      await place({ key, by: restarted.service });
      assert.deepEqual(await restarted.counted(), nothing);
    });

    it("nothing of an order whose settlement was not written", async () => {
      const { service, counted } = openProcess({
        ...orders.store,
        settle: async () => {
          throw new Problem("unavailable", "the database is not available");
        },
      });
      await assert.rejects(place({ by: service }), { code: "unavailable" });
      assert.deepEqual(await counted(), nothing);
    });
  });

  describe("settle", () => {
    before(async () => {
      inventory.answers(granting());
      await orders.service.settle(run);
    });

    it("settles every pending order, one way or the other, and counts what it settled", async () => {
      const [granted, refused] = [await placePending(), await placePending()];
      inventory.answers((asked, request) =>
        (asked.path.endsWith(refused) ? refusing("out_of_stock", "item1") : granting())(asked, request),
      );
      const { service, counted } = openProcess();
      assert.deepEqual(await service.settle(run), { settled: 2, failed: 0 });
      assert.equal(await statusOf(granted), "CONFIRMED");
      assert.equal(await statusOf(refused), "REJECTED");
      assert.deepEqual(await counted(), { ...nothing, CONFIRMED: 1, REJECTED: 1, EUR: 300 });
    });

    it("with nothing pending asks nothing of inventory", async () => {
      const asked = inventory.asked.length;
      assert.deepEqual(await orders.service.settle(run), { settled: 0, failed: 0 });
      assert.equal(inventory.asked.length, asked);
    });

    it("goes on past an order that fails, counts it, and settles it the next time", async () => {
      const [first, stuck, last] = [await placePending(), await placePending(), await placePending()];
      inventory.answers((asked, request) => (asked.path.endsWith(stuck) ? failing : granting())(asked, request));
      assert.deepEqual(await orders.service.settle(run), { settled: 2, failed: 1 });
      assert.deepEqual(await Promise.all([first, stuck, last].map(statusOf)), ["CONFIRMED", "PENDING", "CONFIRMED"]);
      inventory.answers(granting());
      assert.deepEqual(await orders.service.settle(run), { settled: 1, failed: 0 });
    });

    it("goes on past an order whose row cannot be written", async () => {
      const [stuck, fine] = [await placePending(), await placePending()];
      inventory.answers(granting());
      const store = {
        ...orders.store,
        settle: async (...args: Parameters<typeof orders.store.settle>) => {
          if (args[0] === stuck) throw new Problem("unavailable", "the database is not available");
          return orders.store.settle(...args);
        },
      };
      const { service, counted } = openProcess(store);
      assert.deepEqual(await service.settle(run), { settled: 1, failed: 1 });
      assert.deepEqual(await counted(), { ...nothing, CONFIRMED: 1, EUR: 300 });
      assert.equal(await statusOf(fine), "CONFIRMED");
      assert.deepEqual(await orders.service.settle(run), { settled: 1, failed: 0 });
    });

    it("reaches beyond a full page of orders that fail", async () => {
      inventory.answers(failing);
      await Promise.all(Array.from({ length: 100 }, () => place()));
      const last = await placePending();
      inventory.answers((asked, request) => (asked.path.endsWith(last) ? granting() : failing)(asked, request));
      assert.deepEqual(await orders.service.settle(run), { settled: 1, failed: 100 });
      inventory.answers(granting());
      assert.deepEqual(await orders.service.settle(run), { settled: 100, failed: 0 });
    });

    it("beside another settle does nothing", async () => {
      const id = await placePending();
      const held = Promise.withResolvers<void>();
      inventory.answers(async (asked, request) => {
        await Promise.race([held.promise, aborted(request.signal)]);
        return granting()(asked, request);
      });
      const askedBefore = inventory.asked.length;
      const running = orders.service.settle(run);
      await eventually("the first settle asks inventory", () => inventory.asked.length > askedBefore);
      assert.deepEqual(await orders.service.settle(run), { settled: 0, failed: 0 });
      held.resolve();
      assert.deepEqual(await running, { settled: 1, failed: 0 });
      assert.equal(await statusOf(id), "CONFIRMED");
    });

    it("and the customer's own retry at once agree on one order", async () => {
      inventory.answers(failing);
      const key = crypto.randomUUID();
      const { order } = await place({ key });
      inventory.answers(granting());
      const [count, retried] = await Promise.all([orders.service.settle(run), place({ key })]);
      assert.equal(count.failed, 0);
      assert.deepEqual([retried.order.id, retried.order.status], [order.id, "CONFIRMED"]);
    });
  });
});
