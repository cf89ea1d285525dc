import pg from "pg";

export type Ledger = {
  /** Every breach of the shop's invariants, one line each; `settled` when nothing may be pending any more. */
  breaches(options?: { settled?: boolean }): Promise<string[]>;
  /** Puts so many more of each item on the shelf. */
  restock(units: number): Promise<void>;
  close(): Promise<void>;
};

type Urls = { inventory: { url: string }; orders: { url: string } };

const unbalanced = `
  with granted as (
    select line->>'item' as item, sum((line->>'quantity')::bigint) as quantity
    from reservations, jsonb_array_elements(lines) as line
    where outcome = 'granted'
    group by 1
  )
  select format('%s: initial %s is not available %s + granted %s', item, initial, available, coalesce(quantity, 0)) as breach
  from items full join granted using (item)
  where initial is null or initial <> available + coalesce(quantity, 0)`;

const granted = "select order_id from reservations where outcome = 'granted'";

const misplaced = `
  select format('%s: granted, but its order is %s', order_id, coalesce(status, 'missing')) as breach
  from unnest($1::text[]) as order_id left join orders on id = order_id
  where (status = any ($2)) is not true`;

const unsettled = "select format('%s: still pending', id) as breach from orders where status = 'PENDING'";

const ungranted = `
  select format('%s: confirmed, but nothing was granted', id) as breach
  from orders where status = 'CONFIRMED' and id <> all ($1::text[])`;

/**
 * Reads the invariants of orders and stock, at any moment. Reservations are read before orders: a reservation follows its
 * order, so every one that was read must find its order afterwards.
 */
export function openLedger(urls: Urls): Ledger {
  const inventory = new pg.Pool({ connectionString: urls.inventory.url, max: 1 });
  const orders = new pg.Pool({ connectionString: urls.orders.url, max: 1 });
  for (const pool of [inventory, orders]) pool.on("error", () => {});

  return {
    async breaches({ settled = false } = {}) {
      const found = await inventory.query<{ breach: string }>(unbalanced);
      const ids = (await inventory.query<{ order_id: string }>(granted)).rows.map((row) => row.order_id);
      const checks = settled
        ? [orders.query(misplaced, [ids, ["CONFIRMED"]]), orders.query(ungranted, [ids]), orders.query(unsettled)]
        : [orders.query(misplaced, [ids, ["CONFIRMED", "PENDING"]])];
      return [found, ...(await Promise.all(checks))].flatMap(({ rows }) => rows.map(({ breach }) => breach));
    },

    async restock(units) {
      await inventory.query("update items set initial = initial + $1, available = available + $1", [units]);
    },

    async close() {
      await Promise.all([inventory.end(), orders.end()]);
    },
  };
}
