import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { placeOrder } from "../customer.ts";
import { drawTree, orderTree, placeCountedOrder, wakingTree, warmUp } from "../order-trace.ts";
import { openSink, type SinkSpan } from "../otlp-sink.ts";
import { startShop } from "../shop.ts";

const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;

describe("an order through the whole shop", () => {
  it("is one trace with the right parents, one line of each function, and moves every counter by what it should", async () => {
    await using sink = await openSink();
    const shop = await startShop({ env: everywhere({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }) });
    await warmUp(shop);
    const traceId = await placeCountedOrder(shop);
    await shop.stop();
    assert.deepEqual(drawTree(spansOf(sink.spans, traceId)), orderTree);
  });

  it("that wakes four functions shows how each of them started, below its own span", async () => {
    await using sink = await openSink();
    const shop = await startShop({ env: everywhere({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }) });
    const { headers } = await placeOrder(shop.frontendUrl);
    await shop.stop();
    const { spans } = sink;
    assert.deepEqual(drawTree(spansOf(spans, spans[0]?.traceId ?? "")), wakingTree);
    for (const name of ["frontend", "gateway", "orders", "inventory"]) {
      const server = spans.find(({ service, kind }) => service === name && kind === 2);
      assert.equal(server?.attributes["faas.coldstart"], true);
      assert.match(headers.get("Server-Timing") ?? "", new RegExp(`cold;dur=[\\d.]+;desc="${name}"`));
    }
  });
});

const everywhere = (env: Record<string, string>) => Object.fromEntries(names.map((name) => [name, env]));

/** In the order in which they began. */
function spansOf(spans: SinkSpan[], traceId: string): SinkSpan[] {
  return spans.filter((span) => span.traceId === traceId).sort((a, b) => a.startMs - b.startMs);
}
