import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { drawTree, orderTree, placeCountedOrder, warmUp } from "../order-trace.ts";
import { startShop } from "../shop.ts";
import { startCollector } from "./collector.ts";
import { record } from "./full.ts";
import { type JaegerTrace, startJaeger } from "./jaeger.ts";

const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;

it("an order is one trace in a real Jaeger, through a real Collector: right parents, no orphan, no warning", async () => {
  await using jaeger = await startJaeger();
  await using collector = await startCollector(jaeger.url);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const shop = await startShop({ bundled: true, env: Object.fromEntries(names.map((name) => [name, env])) });
  await warmUp(shop);
  const traceId = await placeCountedOrder(shop);
  await shop.stop();

  const trace = await eventually("Jaeger has the whole trace", async () => {
    const found = await jaeger.trace(traceId);
    return found?.spans.length === orderTree.length ? found : undefined;
  });
  assert.deepEqual(drawTree(seen(trace)), orderTree);
  assert.deepEqual(
    trace.spans.flatMap(({ warnings }) => warnings ?? []),
    [],
  );
  record("One order in Jaeger", ["```", ...orderTree, "```"]);
});

function seen({ spans, processes }: JaegerTrace) {
  return spans
    .toSorted((a, b) => a.startTime - b.startTime)
    .map(({ operationName, processID, spanID, references }) => ({
      service: processes[processID]?.serviceName ?? "",
      name: operationName,
      spanId: spanID,
      parentSpanId: references.find(({ refType }) => refType === "CHILD_OF")?.spanID ?? "",
    }));
}
