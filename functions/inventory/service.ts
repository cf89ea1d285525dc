import type { Call } from "@shop/platform/call";
import type { Metrics } from "@shop/platform/metrics";
import { Problem } from "@shop/platform/problem";
import type { Line, Outcome, Product, Stock } from "./contract.ts";
import type { Store } from "./store.ts";

export type Service = ReturnType<typeof createService>;

/** The rules of the stock. */
export function createService({ store, metrics }: { store: Store; metrics: Metrics }) {
  const stockLevel = metrics.gauge("inventory_stock_level");

  async function products(call: Call): Promise<Product[]> {
    const all = await store.products(call);
    for (const { item, available } of all) stockLevel.set({ item }, available);
    return all;
  }

  return {
    products,

    async stock(call: Call): Promise<Stock> {
      const all = await products(call);
      return Object.fromEntries(all.map(({ item, available }) => [item, available]));
    },

    async product(item: string, call: Call): Promise<Product> {
      const product = await store.product(item, call);
      if (!product) throw new Problem("not_found", "item is not sold here");
      stockLevel.set({ item }, product.available);
      return product;
    },

    async reserve(orderId: string, lines: Line[], call: Call): Promise<Outcome> {
      const { outcome, left } = await store.reserve(orderId, mergeLines(lines), call);
      for (const [item, available] of Object.entries(left)) stockLevel.set({ item }, available);
      if (!outcome) throw new Problem("key_reused", "orderId has a reservation of other lines");
      return outcome;
    },
  };
}

/** One line an item, in item order: every order locks the same rows in the same order, so none can deadlock another. */
function mergeLines(lines: Line[]): Line[] {
  const quantities = new Map<string, number>();
  for (const { item, quantity } of lines) quantities.set(item, (quantities.get(item) ?? 0) + quantity);
  return [...quantities].map(([item, quantity]) => ({ item, quantity })).sort((a, b) => (a.item < b.item ? -1 : 1));
}
