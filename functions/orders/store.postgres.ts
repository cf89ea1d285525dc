import { type Database, openSession, type Transaction, transaction } from "@shop/platform/database";
import type { OrderRow, PendingOrder, Settlement, Store } from "./store.ts";

const columns = `id, subject, body_sha256 as "bodySha256", lines, status, prices, total, currency, reason, created_at as "createdAt"`;

export function createStore(database: Database): Store {
  return {
    place: ({ id, key, subject, bodySha256, lines }, call) =>
      transaction(database, call, async (tx) => {
        const { rowCount } = await tx.query(
          `insert into orders (id, key, subject, body_sha256, lines) values ($1, $2, $3, $4, $5) on conflict (key) do nothing`,
          [id, key, subject, bodySha256, JSON.stringify(lines)],
        );
        const order = await one(tx, `select ${columns} from orders where key = $1`, key);
        return { order, created: rowCount === 1 };
      }),

    settle: (id, settlement, call) =>
      transaction(database, call, async (tx) => {
        const { rowCount } = await write(tx, id, settlement);
        const order = await one(tx, `select ${columns} from orders where id = $1`, id);
        return { order, settled: rowCount === 1 };
      }),

    find: (id, call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query(`select ${columns} from orders where id = $1`, [id]);
        return rows[0];
      }),

    ofSubject: (subject, limit, cursor, call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query(
          `select ${columns} from orders where subject = $1 and ($2::text is null or id < $2) order by id desc limit $3`,
          [subject, cursor, limit],
        );
        return rows;
      }),

    pending: (limit, after, call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query<PendingOrder>(
          `select ${columns} from orders where status = 'PENDING' and id > $1 order by id limit $2`,
          [after, limit],
        );
        return rows;
      }),

    async exclusively(work) {
      const session = await openSession(database); // a lock lost with it is harmless: every step may run twice
      try {
        const { rows } = await session.query("select pg_try_advisory_lock(hashtext('orders settle')) as mine");
        if (rows[0].mine) await work();
        return rows[0].mine;
      } finally {
        // The session's end unlocks too, but the server notices that only later.
        await session.query("select pg_advisory_unlock_all()").catch(() => {});
        session.release(true);
      }
    },
  };
}

function write(tx: Transaction, id: string, settlement: Settlement) {
  if (settlement.outcome === "refused") {
    return tx.query(
      `update orders set status = 'REJECTED', reason = $2, settled_at = clock_timestamp()
       where id = $1 and status = 'PENDING'`,
      [id, JSON.stringify(settlement.reason)],
    );
  }
  const { prices, total, currency } = settlement;
  return tx.query(
    `update orders set status = 'CONFIRMED', prices = $2, total = $3, currency = $4, settled_at = clock_timestamp()
     where id = $1 and status = 'PENDING'`,
    [id, JSON.stringify(prices), total, currency],
  );
}

async function one(tx: Transaction, sql: string, value: string): Promise<OrderRow> {
  const { rows } = await tx.query<OrderRow>(sql, [value]);
  if (!rows[0]) throw new Error("an order has vanished");
  return rows[0];
}
