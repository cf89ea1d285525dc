import assert from "node:assert/strict";
import { eventually } from "@shop/platform/testing";
import { placeOrder } from "./customer.ts";
import type { FunctionName, Shop } from "./shop.ts";

/** A span as both our own collector and Jaeger can tell of it. */
export type SeenSpan = { service: string; name: string; spanId: string; parentSpanId: string };

/** What one order for one item is made of, when no function has to wake up: each span below the one that caused it. */
export const orderTree = [
  "frontend POST /api/*",
  "  frontend POST",
  "    gateway POST /api/orders",
  "      gateway POST",
  "        orders POST /orders",
  "          orders BEGIN",
  "          orders INSERT orders",
  "          orders SELECT orders",
  "          orders COMMIT",
  "          orders PUT",
  "            inventory PUT /reservations/:orderId",
  "              inventory BEGIN",
  "              inventory INSERT reservations",
  "              inventory SAVEPOINT",
  "              inventory UPDATE items",
  "              inventory UPDATE reservations",
  "              inventory SELECT reservations",
  "              inventory COMMIT",
  "          orders BEGIN",
  "          orders UPDATE orders",
  "          orders SELECT orders",
  "          orders COMMIT",
] as const;

/** What it is made of when all four functions have to wake up for it. */
export const wakingTree = orderTree.flatMap((line) => {
  const [, indent, service] = /^( *)(\w+) (?:POST|PUT) \//.exec(line) ?? [];
  if (indent === undefined) return [line];
  const below = ["boot modules", "boot config", "boot listen", "boot idle"];
  if (service === "orders" || service === "inventory") below.push("connect");
  return [line, ...below.map((name) => `${indent}  ${service} ${name}`)];
});

/** Writes spans as the tree they make, children in the order given; a span whose parent is not there begins with `orphan`. */
export function drawTree(spans: readonly SeenSpan[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const draw = (parentSpanId: string, indent: string): string[] =>
    spans
      .filter((span) => span.parentSpanId === parentSpanId)
      .flatMap((span) => [`${indent}${span.service} ${span.name}`, ...draw(span.spanId, `${indent}  `)]);
  const orphans = spans.filter(({ parentSpanId }) => parentSpanId !== "" && !ids.has(parentSpanId));
  return [...draw("", ""), ...orphans.map(({ service, name }) => `orphan ${service} ${name}`)];
}

/** Wakes every function, with a connection to each database, so that the next order is an ordinary one. */
export async function warmUp({ frontendUrl }: Shop): Promise<void> {
  assert.equal((await placeOrder(frontendUrl, { item: "item3" })).status, 201);
  await fetch(`${frontendUrl}/api/users`);
}

/** Places one order and holds against it what every function counted and logged; its trace id. */
export async function placeCountedOrder(shop: Shop): Promise<string> {
  const before = await readCounters(shop);
  const from = shop.lines.length;
  const { status } = await placeOrder(shop.frontendUrl, { item: "item3", quantity: 2 });
  assert.equal(status, 201);

  const requests = await eventually("each function has logged its request", () => {
    const lines = shop.lines.slice(from).map((line) => JSON.parse(line) as Record<string, string>);
    const found = lines.filter(({ msg }) => msg === "request");
    return found.length >= 4 ? found : undefined;
  });
  assert.deepEqual(requests.map(({ service }) => service).sort(), ["frontend", "gateway", "inventory", "orders"]);
  const traceIds = new Set(requests.map(({ trace_id }) => trace_id));
  const [traceId = ""] = traceIds;
  assert.equal(traceIds.size, 1);
  assert.match(traceId, /^[0-9a-f]{32}$/);
  assert.deepEqual(moved(before, await readCounters(shop)), movedByAnOrder);
  const lines = shop.lines.slice(from).filter((line) => line.includes('"msg":"request"'));
  assert.equal(lines.length, 4, "each function has logged it once");
  return traceId;
}

type Counters = Map<string, number>;

const counts = (name: string, labels: string): [string, number][] => [
  [`${name} http_requests_total{${labels}}`, 1],
  [`${name} http_request_duration_seconds_count{${labels}}`, 1],
];

/** Every counter of every function that an order for two of item3, at 6.90 EUR, moves, and by how much. */
const movedByAnOrder = Object.fromEntries([
  ...counts("frontend", "method=POST,route=/api/*,status_code=201"),
  ["frontend http_client_request_duration_seconds_count{method=POST,peer=gateway,status_code=201}", 1],
  ...counts("gateway", "method=POST,route=/api/orders,status_code=201"),
  ["gateway http_request_summary_seconds_count{method=POST,route=/api/orders}", 1],
  ["gateway http_client_request_duration_seconds_count{method=POST,peer=orders,status_code=201}", 1],
  ...counts("orders", "method=POST,route=/orders,status_code=201"),
  ["orders http_client_request_duration_seconds_count{method=PUT,peer=inventory,status_code=200}", 1],
  ["orders orders_total{status=CONFIRMED}", 1],
  ["orders orders_value_total{currency=EUR}", 2 * 690],
  ...counts("inventory", "method=PUT,route=/reservations/:orderId,status_code=200"),
  ["inventory inventory_stock_level{item=item3}", -2],
]);

/** Counts and gauges by function and series, but for those of time and of telemetry itself, and without `service` and `cold`. */
async function readCounters({ urls }: Shop): Promise<Counters> {
  const all: Counters = new Map();
  for (const name of Object.keys(urls) as FunctionName[]) {
    const text = await (await fetch(`${urls[name]}/metrics`)).text();
    for (const [, metric = "", labels = "", value] of text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)) {
      if (/_bucket$|_sum$|^telemetry_|^function_cold/.test(metric) || labels.includes("quantile=")) continue;
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text] as const);
      const kept = pairs.filter(([key]) => key !== "service" && key !== "cold").map(([key, text]) => `${key}=${text}`);
      const series = `${name} ${metric}${kept.length > 0 ? `{${kept.sort().join(",")}}` : ""}`;
      all.set(series, (all.get(series) ?? 0) + Number(value));
    }
  }
  return all;
}

function moved(before: Counters, after: Counters): Record<string, number> {
  const differences = [...after].map(([series, value]) => [series, value - (before.get(series) ?? 0)] as const);
  return Object.fromEntries(differences.filter(([, difference]) => difference !== 0).sort());
}
