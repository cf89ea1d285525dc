import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createScratch } from "@shop/dev/database";
import { startPostgres } from "@shop/dev/postgres";
import { deadlineHeader } from "@shop/platform/call";
import { assertProblem } from "@shop/platform/testing";
import { placeOrder } from "../customer.ts";
import { untilWaiting, whileLocked } from "../lock.ts";
import { openScene, type Scene } from "../scene.ts";
import { openTcpProxy, type TcpProxy } from "../tcp-proxy.ts";

const owners = {
  inventory: { path: "/inventory", table: "items" },
  orders: { path: "/orders/ORDER-019cb2c4-6c1f-7d3a-9e41-5b8f0a6f2c11", table: "orders" },
  users: { path: "/users", table: "users" },
} as const;
type Owner = keyof typeof owners;
const names = Object.keys(owners) as Owner[];

describe("the database of one function is away", () => {
  let scene: Scene;
  const proxies = new Map<Owner, TcpProxy>();

  before(async () => {
    scene = await openScene();
    for (const name of names) {
      const proxy = await openTcpProxy(scene.shop.databases[name].url);
      proxies.set(name, proxy);
      await scene.shop.end(name);
      await scene.shop.start(name, { env: { DATABASE_URL: proxy.url } });
    }
  });
  after(async () => {
    await scene.close();
    for (const proxy of proxies.values()) await proxy.close();
  });

  for (const name of names) {
    it(`${name}: connections refused`, async () => {
      await works(scene, name);
      await proxies.get(name)?.refuse();
      await assertAway(await read(scene, name));
      await othersWork(scene, name);
      await proxies.get(name)?.open();
      await works(scene, name);
    });

    it(`${name}: connections cut in the middle of a query`, async () => {
      const reply = await whileLocked(scene[name], owners[name].table, async () => {
        const reading = read(scene, name);
        await untilWaiting(scene[name], 1);
        proxies.get(name)?.cut();
        return reading;
      });
      await assertAway(reply);
      await works(scene, name);
    });
  }

  it("a black hole before every database", async () => {
    await Promise.all(names.map((name) => works(scene, name)));
    for (const proxy of proxies.values()) proxy.swallow();
    // That a pooled connection answers no more only the deadline tells; a new one has an earlier timeout of its own.
    await Promise.all(names.map(async (name) => assertProblem(await read(scene, name, 1_000), "deadline_exceeded")));
    await Promise.all(names.map(async (name) => assertAway(await read(scene, name))));
    for (const proxy of proxies.values()) await proxy.open();
    await Promise.all(names.map((name) => works(scene, name)));
  });

  it("an order meets no database of inventory: it is accepted, and settled once the database is back", async () => {
    const { shop, ledger, orderOf } = scene;
    await proxies.get("inventory")?.refuse();
    const [accepted, stock] = await Promise.all([
      placeOrder(shop.gatewayUrl),
      fetch(`${shop.frontendUrl}/api/inventory`),
    ]);
    assert.equal(accepted.status, 202, accepted.text);
    await assertAway(stock);
    await proxies.get("inventory")?.open();
    assert.equal(await shop.settle(), 0);
    assert.deepEqual(await orderOf(accepted.key), { id: accepted.orderId, status: "CONFIRMED" });
    assert.deepEqual(await ledger.breaches({ settled: true }), []);
  });

  it("an order meets no database of orders: 503 with its key, and the retry is one order", async () => {
    const { shop, ledger } = scene;
    await proxies.get("orders")?.refuse();
    const refused = await placeOrder(shop.gatewayUrl);
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.headers.get("Retry-After") ?? "", /^\d+$/);
    assert.equal(refused.headers.get("Idempotency-Key"), refused.key);
    await proxies.get("orders")?.open();
    const retry = await placeOrder(shop.gatewayUrl, { key: refused.key });
    assert.equal(retry.status, 201, retry.text);
    assert.deepEqual(await ledger.breaches({ settled: true }), []);
  });

  it("a server that is stopped and started again", async () => {
    const { shop } = scene;
    const dataDir = await mkdtemp(join(tmpdir(), "shop-postgres-"));
    const server = await startPostgres({ dataDir });
    const { url } = await createScratch(server.url, "users");
    await shop.end("users");
    await shop.start("users", { env: { DATABASE_URL: url } });
    await works(scene, "users");
    await server.stop();
    await assertAway(await read(scene, "users"));
    await othersWork(scene, "users");
    const again = await startPostgres({ dataDir, port: server.port });
    await works(scene, "users");
    await shop.end("users");
    await again.stop();
    await rm(dataDir, { recursive: true });
    await shop.start("users");
  });
});

/** Reads from a function; with `timeoutMs` the caller gives it no more time than that. */
function read({ shop }: Scene, name: Owner, timeoutMs?: number): Promise<Response> {
  const headers = timeoutMs === undefined ? {} : { [deadlineHeader]: String(Date.now() + timeoutMs) };
  return fetch(`${shop.urls[name]}${owners[name].path}`, { headers });
}

async function assertAway(reply: Response): Promise<void> {
  assert.match(reply.headers.get("Retry-After") ?? "", /^\d+$/);
  const { detail } = await assertProblem(reply, "unavailable");
  assert.match(detail, /^the database is not available$/);
}

/** Asserts that a function reads its database, in the process it has always had. */
async function works(scene: Scene, name: Owner): Promise<void> {
  const { status } = await read(scene, name);
  assert.equal(status, name === "orders" ? 404 : 200, name);
}

async function othersWork(scene: Scene, name: Owner): Promise<void> {
  await Promise.all(names.filter((other) => other !== name).map((other) => works(scene, other)));
}
