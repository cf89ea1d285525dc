import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { startLoad } from "../load.ts";
import { untilWaiting, whileLocked } from "../lock.ts";
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
      const { slow } = await whileLocked(users, "users", async () => {
        const slow = fetch(`${shop.frontendUrl}/api/users`);
        await untilWaiting(users, 1);
        for (const name of chain) shop.process(name).signal("SIGTERM");
        for (const name of chain) await eventually(`${name} refuses`, () => refuses(shop.urls[name]));
        return { slow };
      });
      const reply = await slow;
      assert.equal(reply.status, 200);
      assert.equal(((await reply.json()) as unknown[]).length, 2);
      await assertExits(scene, chain, performance.now());
      for (const name of chain) await shop.start(name);
    });

    for (const { name, path, ...how } of loads) {
      it(`${name} answers every request that it has received, and exits`, async () => {
        const { shop } = scene;
        const { sent, answered, untilCut } = startLoad({ url: `${shop.urls[name]}${path}`, connections, ...how });
        await eventually("the load is on", () => answered.size >= answersBefore);
        shop.process(name).signal("SIGTERM");
        await assertExits(scene, [name], await untilCut());

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

const refuses = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    () => false,
    () => true,
  );

async function assertExits({ shop }: Scene, names: readonly FunctionName[], lastReplyMs: number): Promise<void> {
  for (const name of names) {
    assert.deepEqual(await shop.process(name).closed, { code: 0, signal: null }, name);
    const tookMs = performance.now() - lastReplyMs;
    assert.ok(tookMs < exitMaxMs, `${name} exits ${Math.round(tookMs)} ms after its last reply`);
  }
}
