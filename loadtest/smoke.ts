import { check, fail } from "k6";
import http from "k6/http";
import type { Options } from "k6/options";
import { browse, placeOrder, type Reply, readOrder, stock, summaryTrendStats } from "./shop.ts";
import { type SummaryData, summarize } from "./summary.ts";

http.setResponseCallback(http.expectedStatuses(200, 201));

export const options: Options = {
  summaryTrendStats,
  scenarios: { smoke: { executor: "per-vu-iterations", vus: 1, iterations: 1, maxDuration: "2m" } },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    http_reqs: ["count==5"],
  },
};

type Product = { item: string; available: number };

/** One customer: looks around, orders, asks again with the same key, and reads the order back. */
export default async function (): Promise<void> {
  const products = await browse();
  const available = await stock();
  check(products, { "the products are shown": ({ status }) => status === 200 });
  check(available, { "the stock is shown": ({ status }) => status === 200 });

  if (products.status !== 200) fail(`Cannot order: no products, ${products.error || products.status}`);
  const list = json(products).products as Product[];
  const product = list.find((one) => one.available > 0) ?? fail("Cannot order: nothing is in stock");
  const order = { lines: [{ item: product.item, quantity: 1 }], key: crypto.randomUUID() };
  const placed = await placeOrder(order);
  check(placed, { "an order is confirmed": ({ status }) => status === 201 });
  if (placed.status !== 201) fail(`Cannot order: ${placed.status} ${placed.body}`);

  const again = await placeOrder(order);
  check(again, {
    "the same key is the same order": ({ status, body }) => status === 201 && body === placed.body,
    "and says that it is": ({ headers }) => headers["Idempotent-Replayed"] === "true",
  });
  const read = await readOrder(json(placed).orderId as string);
  check(read, { "the order can be read": (reply) => reply.status === 200 && json(reply).status === "CONFIRMED" });
}

const json = (reply: Reply) => reply.json() as Record<string, unknown>;

export const handleSummary = (data: SummaryData) => summarize(data, { file: __ENV.SUMMARY });
