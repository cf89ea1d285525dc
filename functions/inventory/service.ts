import type { Call } from "@shop/platform/call";
import { Problem } from "@shop/platform/problem";
import type { Line, Outcome, Product, Stock } from "./contract.ts";
import type { Store } from "./store.ts";

export type Service = ReturnType<typeof createService>;

/** The rules of the stock. */
export function createService({ store }: { store: Store }) {
  return {
    async stock(call: Call): Promise<Stock> {
      const products = await store.products(call);
      return Object.fromEntries(products.map(({ item, available }) => [item, available]));
    },

    products: store.products,

    async product(item: string, call: Call): Promise<Product> {
      const product = await store.product(item, call);
      if (!product) throw new Problem("not_found", "item is not sold here");
      return product;
    },

    async reserve(orderId: string, lines: Line[], call: Call): Promise<Outcome> {
      const outcome = await store.reserve(orderId, mergeLines(lines), call);
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
