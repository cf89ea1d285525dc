import { idempotencyKeyHeader, type PlaceOrder } from "@shop/orders/contract";
import { createPeer } from "@shop/platform/client";
import type { Database } from "@shop/platform/database";
import { testTelemetry } from "@shop/platform/testing";
import type { Store as InventoryStore } from "../../inventory/store.ts";
import { openInventory } from "../../inventory/testing.ts";
import type { Store as OrdersStore } from "../../orders/store.ts";
import { openOrders } from "../../orders/testing.ts";
import { openLedger } from "../invariant.ts";

type Options = {
  inventoryStore?: (database: Database) => InventoryStore;
  ordersStore?: (database: Database) => OrdersStore;
};

/** PostgreSQL looks for a deadlock only after a second of waiting. */
const lookSoon = `do $$ begin
  execute format('alter database %I set deadlock_timeout = %L', current_database(), '10ms');
end $$`;
const connectionsMax = 20;
const attemptsMax = 10;

/** Orders and inventory as they are, each on PostgreSQL with many connections, and nothing but a function call between them. */
export async function openCounter({ inventoryStore, ordersStore }: Options = {}) {
  const inventory = await openInventory({
    connectionsMax,
    ...(inventoryStore && { createStore: inventoryStore }),
  });
  const orders = await openOrders({
    inventory: createPeer({
      name: "inventory",
      baseUrl: "http://inventory",
      metrics: testTelemetry().metrics,
      fetch: async (request) => inventory.app.fetch(request),
    }),
    connectionsMax,
    ...(ordersStore && { createStore: ordersStore }),
  });
  const ledger = openLedger({ inventory, orders });
  await inventory.database.pool.query(lookSoon);

  const place = async (order: PlaceOrder, key: string) =>
    orders.app.request("/orders", {
      method: "POST",
      headers: { "Content-Type": "application/json", [idempotencyKeyHeader]: key },
      body: JSON.stringify(order),
    });

  return {
    inventory,
    orders,
    ledger,
    place,

    /** Places an order as a customer does: who hears nothing certain asks again with the same key. */
    async buy(order: PlaceOrder): Promise<Response> {
      const key = crypto.randomUUID();
      for (let attempt = 1; ; attempt++) {
        const reply = await place(order, key);
        if (![202, 503].includes(reply.status) || attempt === attemptsMax) return reply;
      }
    },

    async close(): Promise<void> {
      await ledger.close();
      await orders.close();
      await inventory.close();
    },
  };
}

export type Counter = Awaited<ReturnType<typeof openCounter>>;
