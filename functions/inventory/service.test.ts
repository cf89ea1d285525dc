import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testCall, testTelemetry } from "@shop/platform/testing";
import type { Line, Outcome } from "./contract.ts";
import { createService } from "./service.ts";
import type { Store } from "./store.ts";
import { mintOrderId } from "./testing.ts";

const refused: Outcome = { outcome: "refused", reason: { code: "out_of_stock", item: "a" } };

describe("the service of inventory", () => {
  it("asks for one line an item, in item order, so that no two orders can deadlock", async () => {
    const asked: Line[][] = [];
    const store: Pick<Store, "reserve"> = {
      async reserve(_, lines) {
        asked.push(lines);
        return { outcome: refused, left: {} };
      },
    };
    const lines = [
      { item: "b", quantity: 1 },
      { item: "a-1", quantity: 2 },
      { item: "b", quantity: 3 },
      { item: "a", quantity: 4 },
    ];
    const { metrics } = testTelemetry();
    await createService({ store: store as Store, metrics }).reserve(mintOrderId(), lines, testCall());
    assert.deepEqual(asked, [
      [
        { item: "a", quantity: 4 },
        { item: "a-1", quantity: 2 },
        { item: "b", quantity: 4 },
      ],
    ]);
  });
});
