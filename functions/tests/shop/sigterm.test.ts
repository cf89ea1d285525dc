import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, lockTable } from "@shop/platform/testing";
import { startLoad } from "../load.ts";
import { openScene, type Scene } from "../scene.ts";
import type { FunctionName } from "../shop.ts";

const connections = 20;
const answersBefore = 100;
const exitMaxMs = 1_500;

const newOrder = () => ({
  headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
  body: JSON.stringify({ item: "item1", quantity: 1 }),
});
/** From the edge inwards: whoever is asked still has its peers. */
const loads = [
  { name: "frontend", method: "POST", path: "/api/orders", make: newOrder },
  { name: "gateway", method: "GET", path: "/api/products" },
  { name: "orders", method: "POST", path: "/orders", make: newOrder },
  { name: "inventory", method: "GET", path: "/inventory" },
  { name: "users", method: "GET", path: "/users" },
] as const;

for (const runtime of ["bun", "deno"] as const) {
  describe(`SIGTERM on ${runtime}`, () => {
    let scene: Scene;
    before(async () => {
      scene = await openScene({ runtime, bundled: true });
    });
    after(() => scene.close());

    it("a slow request in flight is finished by everyone who takes part in it, and nothing new is taken", async () => {
      const { shop, users } = scene;
      const chain = ["frontend", "gateway", "users"] as const;
      const lock = await lockTable(users, "users");
      const slow = fetch(`${shop.frontendUrl}/api/users`);
      await eventually("users waits for the lock", async () => {
        const sql = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        return (await users.pool.query(sql)).rowCount === 1;
      });
      for (const name of chain) shop.process(name).signal("SIGTERM");
      for (const name of chain) {
        await eventually(`${name} refuses`, () =>
          fetch(`${shop.urls[name]}/readyz`).then(
            () => false,
            () => true,
          ),
        );
      }
      await lock.release();
      const reply = await slow;
      assert.deepEqual(
        [reply.status, await reply.json()],
        [
          200,
          [
            { id: 1, name: "Alice" },
            { id: 2, name: "Bob" },
          ],
        ],
      );
      await assertExits(scene, chain, performance.now());
      for (const name of chain) await shop.start(name);
    });

    for (const { name, path, ...how } of loads) {
      it(`${name} answers every request that it has received, and exits`, async () => {
        const { shop } = scene;
        const { sent, answered, ended } = startLoad({ url: `${shop.urls[name]}${path}`, connections, ...how });
        await eventually("the load is on", () => answered.size >= answersBefore);
        shop.process(name).signal("SIGTERM");
        const { lastReplyMs } = await ended;
        await assertExits(scene, [name], lastReplyMs);

        const received = shop.lines
          .map((line) => JSON.parse(line))
          .filter(({ service, msg, request_id }) => service === name && msg === "request" && sent.has(request_id))
          .map(({ request_id }) => request_id as string);
        assert.deepEqual([...new Set(received).symmetricDifference(answered)], [], "received, and not answered");
        const expected = how.method === "POST" ? 201 : 200;
        assert.deepEqual([...new Set(answered.values())], [expected]);
      });
    }
  });
}

async function assertExits({ shop }: Scene, names: readonly FunctionName[], lastReplyMs: number): Promise<void> {
  for (const name of names) {
    assert.deepEqual(await shop.process(name).closed, { code: 0, signal: null }, name);
    const tookMs = performance.now() - lastReplyMs;
    assert.ok(tookMs < exitMaxMs, `${name} exits ${Math.round(tookMs)} ms after its last reply`);
  }
}
