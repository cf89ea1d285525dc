import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startShop } from "../shop.ts";
import { counts, describes, sells } from "../smoke.ts";

for (const runtime of ["bun", "deno"] as const) {
  describe(`the built bundles on ${runtime}`, () => {
    it("boot, sell, remember, count and stop", async () => {
      const shop = await startShop({ runtime, bundled: true });
      try {
        await sells(shop);
        await describes(shop);
        await counts(shop);
      } finally {
        await shop.stop();
      }
      for (const [name, { exited }] of shop.processes) {
        assert.deepEqual(await exited, { code: 0, signal: null }, `${name} did not stop cleanly`);
      }
    });
  });
}
