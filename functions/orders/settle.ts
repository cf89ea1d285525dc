import { backgroundCall } from "@shop/platform/call";
import type { Database } from "@shop/platform/database";
import type { Logger } from "@shop/platform/log";
import type { Service } from "./service.ts";

type Settle = { service: Service; database: Database; log: Logger };

const stepTimeoutMs = 5_000;

/** The maintenance job: drives every pending order on, one run at a time; false when some order is still pending. */
export async function settle({ service, database, log }: Settle): Promise<boolean> {
  const lock = await database.pool.connect();
  lock.on("error", (err) => log.warn({ err }, "settle has lost its lock")); // harmless: every step may run twice
  try {
    const { rows } = await lock.query("select pg_try_advisory_lock(hashtext('orders settle')) as mine");
    if (!rows[0].mine) {
      log.info("settle is running elsewhere");
      return true;
    }
    const count = await service.settle((work) => backgroundCall({ log, timeoutMs: stepTimeoutMs }, work));
    if (count.settled + count.failed > 0) log.info(count, "settle");
    return count.failed === 0;
  } finally {
    lock.release(true); // ends the session, and with it the lock
  }
}
