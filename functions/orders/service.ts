import { createHash } from "node:crypto";
import { type Line, Outcome } from "@shop/inventory/contract";
import type { Call } from "@shop/platform/call";
import type { Peer } from "@shop/platform/client";
import type { Metrics } from "@shop/platform/metrics";
import { Problem } from "@shop/platform/problem";
import { v7 as uuidv7 } from "uuid";
import type { PlaceOrder } from "./contract.ts";
import type { OrderRow, PendingOrder, Settlement, Store } from "./store.ts";

export type { OrderRow, RejectedOrder } from "./store.ts";
export type Service = ReturnType<typeof createService>;

/** Gives a piece of work a call of its own. */
type Run = <T>(work: (call: Call) => Promise<T>) => Promise<T>;

/** Whoever came without a visitor's secret. */
export const anonymous = "anonymous";

const reserveAttemptsMax = 3;
const pendingPageMax = 100;

/** The rules of an order: kept first, then reserved, then settled; every step may be repeated, none is ever undone. */
export function createService({ store, inventory, metrics }: { store: Store; inventory: Peer; metrics: Metrics }) {
  const settledOrders = metrics.counter("orders_total");
  const confirmedValue = metrics.counter("orders_value_total");

  return {
    async place(
      request: PlaceOrder,
      key: string,
      subject: string,
      call: Call,
    ): Promise<{ order: OrderRow; replayed: boolean }> {
      const lines = "lines" in request ? request.lines : [request];
      const bodySha256 = createHash("sha256").update(JSON.stringify(lines)).digest("hex");
      const placed = await store.place({ id: `ORDER-${uuidv7()}`, key, subject, bodySha256, lines }, call);
      if (placed.order.subject !== subject || placed.order.bodySha256 !== bodySha256) {
        throw new Problem("key_reused", "Idempotency-Key belongs to another order");
      }
      return { order: await drive(placed.order, call), replayed: !placed.created };
    },

    async find(id: string, subject: string, call: Call): Promise<OrderRow> {
      const order = await store.find(id, call);
      if (!order || (order.subject !== subject && order.subject !== anonymous)) {
        throw new Problem("not_found", "there is no such order");
      }
      return order;
    },

    async page(subject: string, limit: number, cursor: string | undefined, call: Call): Promise<OrderRow[]> {
      if (subject === anonymous) throw new Problem("unauthenticated", "listing orders needs a visitor");
      return store.ofSubject(subject, limit, cursor, call);
    },

    /** The maintenance job: drives every pending order on, past those that fail; at most one at a time. */
    async settle(run: Run): Promise<{ settled: number; failed: number }> {
      const count = { settled: 0, failed: 0 };
      await store.exclusively(async () => {
        let page: PendingOrder[];
        let after = "";
        do {
          page = await run((call) => store.pending(pendingPageMax, after, call));
          for (const order of page) {
            const settled = await run((call) => settles(order, call));
            count[settled ? "settled" : "failed"] += 1;
            after = order.id;
          }
        } while (page.length === pendingPageMax);
      });
      return count;
    },
  };

  async function settles(order: PendingOrder, call: Call): Promise<boolean> {
    try {
      return (await drive(order, call)).status !== "PENDING";
    } catch (err) {
      call.log.error({ err, order_id: order.id }, "order not settled");
      return false;
    }
  }

  /** Only inventory's own outcome settles an order; whatever else comes back leaves it pending, to be driven on later. */
  async function drive(order: OrderRow, call: Call): Promise<OrderRow> {
    if (order.status !== "PENDING") return order;
    const settlement = await reserve(order, call);
    if (!settlement) return (await store.find(order.id, call)) ?? order;
    const { order: row, settled } = await store.settle(order.id, settlement, call);
    if (settled) count(row);
    return row;
  }

  /** Counted by whoever settled it: several may drive the same order, and one of them settles it. */
  function count(order: OrderRow): void {
    settledOrders.inc({ status: order.status });
    if (order.status === "CONFIRMED") confirmedValue.inc({ currency: order.currency }, order.total);
  }

  async function reserve(order: PendingOrder, call: Call): Promise<Settlement | undefined> {
    const { id, lines } = order;
    try {
      const answer = await inventory.request(
        {
          method: "PUT",
          path: `/reservations/${id}`,
          body: { lines },
          answers: { 200: Outcome },
          attemptsMax: reserveAttemptsMax,
        },
        call,
      );
      return settlementOf(order, answer.body);
    } catch (err) {
      call.log.warn({ err, order_id: id }, "order stays pending");
      return undefined;
    }
  }
}

function settlementOf({ lines }: PendingOrder, outcome: Outcome): Settlement {
  if (outcome.outcome === "refused") return outcome;
  const priced = priceLines(lines, outcome.prices);
  return { ...outcome, total: priced.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0) };
}

/** The customer's lines with the prices inventory granted. */
export function priceLines(lines: Line[], prices: { item: string; unitPrice: number }[]) {
  const priceOf = new Map(prices.map(({ item, unitPrice }) => [item, unitPrice]));
  return lines.map(({ item, quantity }) => {
    const unitPrice = priceOf.get(item);
    if (unitPrice === undefined) throw new Error("inventory granted a line without a price");
    return { item, quantity, unitPrice };
  });
}
