import type { Database } from "@shop/platform/database";
import { eventually, lockTable } from "@shop/platform/testing";

/** Holds every statement on `table` while `work` runs. */
export async function whileLocked<T>(database: Database, table: string, work: () => Promise<T>): Promise<T> {
  const lock = await lockTable(database, table);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** Waits until as many statements as that wait for a lock. */
export async function untilWaiting({ pool }: Database, count: number): Promise<void> {
  const sql = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  await eventually(`${count} statements wait for a lock`, async () => (await pool.query(sql)).rowCount === count);
}
