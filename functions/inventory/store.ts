import type { Call } from "@shop/platform/call";
import type { Line, Outcome, Product, Stock } from "./contract.ts";

/** What the service needs of the database. */
export type Store = {
  products(call: Call): Promise<Product[]>;
  product(item: string, call: Call): Promise<Product | undefined>;
  /**
   * All or nothing: the outcome of `orderId`, decided by its first call, undefined when that one asked for other lines; and what is left
   * of the items that this call took from.
   */
  reserve(orderId: string, lines: Line[], call: Call): Promise<{ outcome: Outcome | undefined; left: Stock }>;
};
