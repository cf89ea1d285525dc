import { createDatabase, type Database } from "@shop/platform/database";
import { captureLog } from "@shop/platform/testing";
import { type Ledger, openLedger } from "./invariant.ts";
import { type Shop, startShop } from "./shop.ts";

/** A running shop, and a look into its databases from outside. */
export type Scene = {
  shop: Shop;
  ledger: Ledger;
  orders: Database;
  inventory: Database;
  users: Database;
  /** The order of a key, as the database has it. */
  orderOf(key: string): Promise<{ id: string; status: string } | undefined>;
  available(item: string): Promise<number>;
  /** Whether an order has its stock. */
  granted(orderId: string): Promise<boolean>;
  close(): Promise<void>;
};

const stockMax = 1_000_000;

/** Starts a shop with more stock than any suite can buy. */
export async function openScene(options: Parameters<typeof startShop>[0] = {}): Promise<Scene> {
  const shop = await startShop(options);
  const { log } = captureLog();
  const orders = createDatabase({ url: shop.databases.orders.url, log });
  const inventory = createDatabase({ url: shop.databases.inventory.url, log });
  const users = createDatabase({ url: shop.databases.users.url, log });
  const ledger = openLedger(shop.databases);
  await inventory.pool.query(`update items set initial = ${stockMax}, available = ${stockMax}`);

  return {
    shop,
    ledger,
    orders,
    inventory,
    users,
    async orderOf(key) {
      const { rows } = await orders.pool.query("select id, status from orders where key = $1", [key]);
      return rows[0];
    },
    async available(item) {
      const { rows } = await inventory.pool.query("select available from items where item = $1", [item]);
      return rows[0].available;
    },
    async granted(orderId) {
      const sql = "select from reservations where order_id = $1 and outcome = 'granted'";
      return (await inventory.pool.query(sql, [orderId])).rowCount === 1;
    },
    async close() {
      await Promise.all([ledger, orders, inventory, users].map((one) => one.close()));
      await shop.stop();
    },
  };
}
