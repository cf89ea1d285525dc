import { join } from "node:path";
import { databaseUrl } from "./config.ts";
import { command, exit } from "./program.ts";

// The further commands of a function that owns a database: they need nothing else, and run again they change nothing.
const entries = { DATABASE_URL: databaseUrl };

/** Late, for a function that serves needs none of it. */
const load = () => import("./migrate.ts");

/** Brings the database up to date with `migrations/` beside the program. */
export const migrate = command(entries, async ({ config, telemetry: { log }, folder }) => {
  const { applyMigrations } = await load();
  const applied = await applyMigrations(config.DATABASE_URL, join(folder, "migrations"));
  log.info(applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date");
  await exit(log, 0);
});

/** Inserts the rows of `seed.sql` beside the program that are missing, into a database that it brings up to date first: no order has to be kept. */
export const seed = command(entries, async ({ config, telemetry: { log }, folder }) => {
  const { applyMigrations, applySeed } = await load();
  await applyMigrations(config.DATABASE_URL, join(folder, "migrations"));
  await applySeed(config.DATABASE_URL, join(folder, "seed.sql"));
  log.info("seeded");
  await exit(log, 0);
});
