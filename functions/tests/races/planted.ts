import { currency, type Line, type Outcome } from "@shop/inventory/contract";
import { type Database, type Transaction, transaction } from "@shop/platform/database";
import { createStore as createInventoryStore } from "../../inventory/store.postgres.ts";
import type { Store as InventoryStore } from "../../inventory/store.ts";
import { createStore as createOrdersStore } from "../../orders/store.postgres.ts";
import type { OrderRow, Store as OrdersStore } from "../../orders/store.ts";

type Reserved = Awaited<ReturnType<InventoryStore["reserve"]>>;

/** Holds the first callers until there are `parties` of them: what these do next they do at the same time. */
export function barrier(parties: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  return () => {
    if (++arrived === parties) resolve();
    return promise;
  };
}

/** The bug: reads the stock, then writes what it makes of it. Two who read before either writes sell one unit twice. */
export function readThenWrite(meet: () => Promise<void>) {
  return (database: Database): InventoryStore => ({
    ...createInventoryStore(database),
    reserve: (orderId, lines, call) =>
      transaction(database, call, async (tx) => {
        for (const { item, quantity } of lines) {
          const { rows } = await tx.query("select available from items where item = $1", [item]);
          await meet();
          if (rows[0].available < quantity) {
            return record(tx, orderId, lines, { outcome: "refused", reason: { code: "out_of_stock", item } });
          }
          await tx.query("update items set available = $2 where item = $1", [item, rows[0].available - quantity]);
        }
        return record(tx, orderId, lines, granted(lines));
      }),
  });
}

/** The bug: takes the stock in one transaction and records it in another. Whoever looks in between misses units. */
export function takeThenRecord(between: () => Promise<void>) {
  return (database: Database): InventoryStore => ({
    ...createInventoryStore(database),
    async reserve(orderId, lines, call) {
      await transaction(database, call, (tx) => take(tx, lines));
      await between();
      return transaction(database, call, (tx) => record(tx, orderId, lines, granted(lines)));
    },
  });
}

/** The bug: locks items in no common order. Two who hold one and want the other's wait for ever. */
export function unsortedLocks(meet: () => Promise<void>) {
  let calls = 0;
  return (database: Database): InventoryStore => ({
    ...createInventoryStore(database),
    reserve(orderId, sorted, call) {
      const lines = calls++ % 2 === 0 ? sorted : sorted.toReversed();
      return transaction(database, call, async (tx) => {
        await take(tx, lines.slice(0, 1));
        await meet();
        await take(tx, lines.slice(1));
        return record(tx, orderId, sorted, granted(sorted));
      });
    },
  });
}

/** The bug: looks for the key, then inserts. Two who look before either inserts make two orders. */
export function selectThenInsert(meet: () => Promise<void>) {
  return (database: Database): OrdersStore => {
    const store = createOrdersStore(database);
    return {
      ...store,
      async place({ id, key, subject, bodySha256, lines }, call) {
        const { rows } = await database.pool.query("select id from orders where key = $1 limit 1", [key]);
        if (rows[0]) return { order: (await store.find(rows[0].id, call)) as OrderRow, created: false };
        await meet();
        await database.pool.query(
          "insert into orders (id, key, subject, body_sha256, lines) values ($1, $2, $3, $4, $5)",
          [id, key, subject, bodySha256, JSON.stringify(lines)],
        );
        return { order: (await store.find(id, call)) as OrderRow, created: true };
      },
    };
  };
}

async function take(tx: Transaction, lines: Line[]): Promise<void> {
  for (const { item, quantity } of lines) {
    await tx.query("update items set available = available - $2 where item = $1", [item, quantity]);
  }
}

const granted = (lines: Line[]): Outcome => ({
  outcome: "granted",
  prices: lines.map(({ item }) => ({ item, unitPrice: 100 })),
  currency,
});

async function record(tx: Transaction, orderId: string, lines: Line[], outcome: Outcome): Promise<Reserved> {
  const { prices = null, reason = null } = { ...outcome } as { prices?: unknown; reason?: unknown };
  await tx.query(
    "insert into reservations (order_id, lines, outcome, prices, reason) values ($1, $2, $3, $4, $5) on conflict do nothing",
    [orderId, JSON.stringify(lines), outcome.outcome, ...[prices, reason].map((one) => one && JSON.stringify(one))],
  );
  return { outcome, left: {} };
}
