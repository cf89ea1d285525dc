import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { drawTree, orderTree, placeCountedOrder, wakingTree, warmUp } from "../order-trace.ts";
import { startShop } from "../shop.ts";
import { startCollector } from "./collector.ts";
import { record } from "./full.ts";
import { type JaegerTrace, startJaeger } from "./jaeger.ts";

const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;

it("an order is one trace in a real Jaeger, through a real Collector: right parents, no orphan; one that wakes the shop as well", async () => {
  await using jaeger = await startJaeger();
  await using collector = await startCollector(jaeger.url);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const shop = await startShop({ bundled: true, env: Object.fromEntries(names.map((name) => [name, env])) });
  await warmUp(shop);
  const wakingId = shop.lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === "request")?.trace_id;
  const traceId = await placeCountedOrder(shop);
  await shop.stop();

  const whole = (id: string, spans: number) =>
    eventually("Jaeger has the whole trace", async () => {
      const found = await jaeger.trace(id);
      return found?.spans.length === spans ? found : undefined;
    });
  const trace = await whole(traceId, orderTree.length);
  assert.deepEqual(drawTree(seen(trace)), orderTree);
  assert.deepEqual(warnings(trace), []);

  const waking = await whole(wakingId, wakingTree.length);
  assert.deepEqual(drawTree(seen(waking)), wakingTree);
  for (const { span, text } of warnings(waking)) {
    assert.match(span, /^boot /, "only what lies before the request that it explains");
    assert.match(text, /^clock skew adjustment disabled/, "and nothing was moved for it");
  }
  record("One order in Jaeger", [
    "```",
    ...orderTree,
    "```",
    "",
    "When it wakes the shop:",
    "",
    "```",
    ...wakingTree,
    "```",
  ]);
});

const warnings = ({ spans }: JaegerTrace) =>
  spans.flatMap(({ operationName, warnings }) => (warnings ?? []).map((text) => ({ span: operationName, text })));

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
