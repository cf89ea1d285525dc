import { readFile } from "node:fs/promises";
import { runner } from "node-pg-migrate";
import pg from "pg";

const connectTimeoutMs = 5_000;

/** Brings one database up to date with a folder of migrations; those that were applied. Of two at once the second waits. */
export async function applyMigrations(databaseUrl: string, folder: string): Promise<string[]> {
  let at = new URL(databaseUrl).pathname.slice(1);
  try {
    const applied = await runner({
      databaseUrl: { connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs },
      dir: folder,
      direction: "up",
      migrationsTable: "migrations",
      advisoryLockMode: "wait",
      log: (line) => {
        at = /^### MIGRATION (\S+)/.exec(line)?.[1] ?? at;
      },
    });
    return applied.map(({ name }) => name);
  } catch (cause) {
    throw new Error(`Cannot migrate "${at}": ${(cause as Error).message}`, { cause });
  }
}

/** Runs the SQL of a file, which inserts the rows that are missing. */
export async function applySeed(databaseUrl: string, file: string): Promise<void> {
  try {
    const sql = await readFile(file, "utf8");
    await connected(databaseUrl, (client) => client.query(sql));
  } catch (cause) {
    throw new Error(`Cannot seed "${new URL(databaseUrl).pathname.slice(1)}": ${(cause as Error).message}`, { cause });
  }
}

/** Does some work on a connection of its own. */
export async function connected<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs });
  client.on("error", () => {}); // the query in flight rejects, which is enough
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
