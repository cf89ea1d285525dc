import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { listen } from "@shop/platform/testing";
import { openScene, type Scene } from "../scene.ts";

type Asked = { method?: string; path: string; key?: string; visitor?: string | undefined; body?: unknown };
type Reply = { status: number; type: string | null; location: string | null; replayed: string | null; text: string };

const visitor = crypto.randomUUID();
const stranger = crypto.randomUUID();
const unknownOrder = "/orders/ORDER-019cb2c4-6c1f-7d3a-9e41-5b8f0a6f2c11";
// One trace for all, so that even a problem's traceId is the same.
const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("the gateway and the frontend answer what orders answered", () => {
  let scene: Scene;
  before(async () => {
    scene = await openScene();
  });
  after(() => scene.close());

  /** Asks orders as the gateway does, the gateway, and the gateway through the frontend. */
  async function askAll(asked: Asked): Promise<Reply> {
    const { orders, gateway, frontend } = scene.shop.urls;
    const subject = asked.visitor && createHash("sha256").update(asked.visitor).digest("hex");
    const cookie: Record<string, string> = asked.visitor ? { Cookie: `visitor=${asked.visitor}` } : {};
    const [first, ...others] = [
      await ask(orders, asked, subject ? { "Visitor-Subject": subject } : {}),
      await ask(`${gateway}/api`, asked, cookie),
      await ask(`${frontend}/api`, asked, cookie),
    ];
    for (const other of others) assert.deepEqual(other, first);
    assert.ok(first);
    return first;
  }

  /** Places an order at the gateway, then asks all with the same key. */
  async function place(body: unknown, key: string): Promise<Reply> {
    const asked = { method: "POST", path: "/orders", body, key, visitor };
    const first = await ask(`${scene.shop.gatewayUrl}/api`, asked, { Cookie: `visitor=${visitor}` });
    const again = await askAll(asked);
    assert.deepEqual(again, { ...first, replayed: again.replayed });
    return again;
  }

  it("201: the order, its place, and that it was there already", async () => {
    const { status, location, replayed, text } = await place({ item: "item3", quantity: 2 }, crypto.randomUUID());
    assert.equal(status, 201);
    assert.equal(replayed, "true");
    assert.equal(location, `orders/${JSON.parse(text).orderId}`);
  });

  it("202: an order that inventory did not answer", async () => {
    const { shop } = scene;
    await using broken = await listen((_, response) => response.writeHead(404).end());
    await shop.end("orders");
    await shop.start("orders", { env: { INVENTORY_SERVICE_URL: broken.url } });
    const { status, location, text } = await place({ item: "item3", quantity: 2 }, crypto.randomUUID());
    assert.equal(status, 202);
    assert.equal(location, `orders/${JSON.parse(text).orderId}`);
    await shop.end("orders");
    await shop.start("orders");
  });

  it("409: out of stock, and an item that is not sold", async () => {
    await scene.inventory.pool.query("update items set initial = 7, available = 7 where item = 'item2'");
    const tooMuch = await place({ item: "item2", quantity: 8 }, crypto.randomUUID());
    assert.deepEqual([tooMuch.status, JSON.parse(tooMuch.text).code], [409, "out_of_stock"]);
    const lines = ["item3", "nothing"].map((item) => ({ item, quantity: 1 }));
    const unknown = await place({ lines }, crypto.randomUUID());
    assert.deepEqual([unknown.status, JSON.parse(unknown.text).code], [409, "unknown_item"]);
  });

  it("422: the key of another order", async () => {
    const key = crypto.randomUUID();
    await place({ item: "item3", quantity: 2 }, key);
    const { status, text } = await place({ item: "item3", quantity: 3 }, key);
    assert.equal(status, 422);
    assert.match(text, /"code":"key_reused"/);
  });

  it("400: what no contract allows", async () => {
    const body = { item: "item3", quantity: 1 };
    for (const asked of [
      { method: "POST", path: "/orders", body: { ...body, quantity: -1 }, key: crypto.randomUUID() },
      { method: "POST", path: "/orders", body: { ...body, quantity: 1.5 }, key: crypto.randomUUID() },
      { method: "POST", path: "/orders", body: { ...body, extra: 1 }, key: crypto.randomUUID() },
      { method: "POST", path: "/orders", body: { lines: [] }, key: crypto.randomUUID() },
      { method: "POST", path: "/orders", body: [], key: crypto.randomUUID() },
      { method: "POST", path: "/orders", body, key: "1" },
      { path: "/orders/1" },
      { path: "/orders?limit=0", visitor },
      { path: "/orders?cursor=1", visitor },
    ]) {
      const { status, text } = await askAll(asked);
      assert.equal(status, 400, text);
    }
  });

  it("401: a list without a visitor", async () => {
    assert.equal((await askAll({ path: "/orders" })).status, 401);
  });

  it("404: no such order, and nothing at a path", async () => {
    assert.match((await askAll({ path: unknownOrder, visitor })).text, /"detail":"there is no such order"/);
    assert.equal((await askAll({ path: "/nothing" })).status, 404);
  });

  it("405, 413, 415: before anything is read", async () => {
    assert.equal((await askAll({ method: "DELETE", path: "/orders" })).status, 405);
    const key = crypto.randomUUID();
    const body = { item: "item3", quantity: 1, padding: "x".repeat(70_000) };
    assert.equal((await askAll({ method: "POST", path: "/orders", key, body })).status, 413);
    assert.equal((await askAll({ method: "POST", path: "/orders", key })).status, 415);
  });

  it("another visitor's order: 404 for whoever reads it, 422 for whoever has its key", async () => {
    const key = crypto.randomUUID();
    const order = { item: "item3", quantity: 1 };
    const { text } = await place(order, key);
    const path = `/orders/${JSON.parse(text).orderId}`;
    assert.equal((await askAll({ path, visitor })).status, 200);

    const nobody = await askAll({ path: unknownOrder, visitor: stranger });
    assert.equal(nobody.status, 404);
    for (const other of [stranger, undefined]) {
      assert.deepEqual(await askAll({ path, visitor: other }), nobody);
      const reused = await askAll({ method: "POST", path: "/orders", body: order, key, visitor: other });
      assert.equal(reused.status, 422, reused.text);
    }
    assert.equal((await askAll({ path: "/orders", visitor: stranger })).text, '{"orders":[]}');
  });
});

async function ask(baseUrl: string, { method = "GET", path, key, body }: Asked, who: Record<string, string>) {
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    headers: {
      traceparent,
      ...who,
      ...(key !== undefined && { "Idempotency-Key": key }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { status, headers } = response;
  return {
    status,
    type: headers.get("Content-Type"),
    location: headers.get("Location"),
    replayed: headers.get("Idempotent-Replayed"),
    text: await response.text(),
  };
}
