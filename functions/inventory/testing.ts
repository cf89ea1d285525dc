import { type App, createApp } from "@shop/platform/app";
import { createDatabase, type Database } from "@shop/platform/database";
import type { Telemetry } from "@shop/platform/telemetry";
import { freshDatabase, testTelemetry } from "@shop/platform/testing";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";
import type { Store } from "./store.ts";

type AppOptions = { store: Store; telemetry?: Telemetry; timeoutMs?: number };

/** Inventory as `main.ts` wires it. */
export function openApp({ store, telemetry = testTelemetry(), timeoutMs = 10_000 }: AppOptions): App {
  const info = { title: "inventory", description: "The stock." };
  const service = createService({ store, metrics: telemetry.metrics });
  return addRoutes(createApp({ telemetry, info, timeoutMs }), { service });
}

type InventoryOptions = { connectionsMax?: number; createStore?: (database: Database) => Store };

/** Inventory on a fresh database. */
export async function openInventory({ connectionsMax = 5, createStore: create = createStore }: InventoryOptions = {}) {
  const { url, drop } = await freshDatabase("inventory");
  const telemetry = testTelemetry({ service: "inventory" });
  const database = createDatabase({ url, log: telemetry.log, connectionsMax });
  const store = create(database);
  let items = 0;
  return {
    url,
    database,
    store,
    app: openApp({ store, telemetry }),
    /** What it has told. */
    telemetry,

    /** A new item; its name. Of two items the earlier one sorts first. */
    async addItem({ price = 100, stock = 10 } = {}): Promise<string> {
      const item = `test-${String(++items).padStart(4, "0")}`;
      const sql = "insert into items (item, name, price, initial, available) values ($1, $1, $2, $3, $3)";
      await database.pool.query(sql, [item, price, stock]);
      return item;
    },

    async available(item: string): Promise<number> {
      const { rows } = await database.pool.query("select available from items where item = $1", [item]);
      return rows[0].available;
    },

    async close(): Promise<void> {
      await database.close();
      await drop();
    },
  };
}

export type Inventory = Awaited<ReturnType<typeof openInventory>>;

/** A new order id. */
export function mintOrderId(): string {
  const uuid = crypto.randomUUID();
  return `ORDER-${uuid.slice(0, 14)}7${uuid.slice(15)}`;
}
