import { type Database, type Transaction, transaction } from "@shop/platform/database";
import { currency, type Line, type Outcome, type RefusalReason, type Stock, type UnitPrice } from "./contract.ts";
import type { Store } from "./store.ts";

export function createStore(database: Database): Store {
  return {
    products: (call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query("select item, name, price, available from items order by item");
        return rows.map((row) => ({ ...row, currency }));
      }),

    product: (item, call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query("select item, name, price, available from items where item = $1", [item]);
        return rows[0] && { ...rows[0], currency };
      }),

    reserve: (orderId, lines, call) =>
      transaction(database, call, async (tx) => {
        // The row is the lock: a second call waits here until the first has committed, and then reads its answer.
        const inserted = await tx.query(
          "insert into reservations (order_id, lines) values ($1, $2) on conflict (order_id) do nothing",
          [orderId, JSON.stringify(lines)],
        );
        const left = inserted.rowCount === 1 ? await decide(tx, orderId, lines) : {};
        return { outcome: await answer(tx, orderId, lines), left };
      }),
  };
}

async function decide(tx: Transaction, orderId: string, lines: Line[]): Promise<Stock> {
  await tx.query("savepoint stock");
  const left: Stock = {};
  const prices: UnitPrice[] = [];
  for (const { item, quantity } of lines) {
    const { rows } = await tx.query(
      "update items set available = available - $2 where item = $1 and available >= $2 returning price, available",
      [item, quantity],
    );
    if (rows[0] === undefined) {
      await tx.query("rollback to savepoint stock");
      await refuse(tx, orderId, item);
      return {};
    }
    left[item] = rows[0].available;
    prices.push({ item, unitPrice: rows[0].price });
  }
  await tx.query("update reservations set outcome = 'granted', prices = $2 where order_id = $1", [
    orderId,
    JSON.stringify(prices),
  ]);
  return left;
}

async function refuse(tx: Transaction, orderId: string, item: string): Promise<void> {
  const { rowCount } = await tx.query("select from items where item = $1", [item]);
  const reason: RefusalReason = { code: rowCount === 1 ? "out_of_stock" : "unknown_item", item };
  await tx.query("update reservations set outcome = 'refused', reason = $2 where order_id = $1", [
    orderId,
    JSON.stringify(reason),
  ]);
}

async function answer(tx: Transaction, orderId: string, lines: Line[]): Promise<Outcome | undefined> {
  const { rows } = await tx.query(
    "select outcome, prices, reason, lines = $2::jsonb as same from reservations where order_id = $1",
    [orderId, JSON.stringify(lines)],
  );
  const { outcome, prices, reason, same } = rows[0];
  if (!same) return undefined;
  return outcome === "granted" ? { outcome, prices, currency } : { outcome, reason };
}
