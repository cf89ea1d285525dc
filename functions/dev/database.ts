import { createHmac, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { applyMigrations, applySeed, connected } from "@shop/platform/migrate";
import pg from "pg";

export type OwnerName = "inventory" | "orders" | "users";
export type OwnerUrls = Record<OwnerName, string>;

interface Owner {
  name: OwnerName;
  migrations: string;
  /** SQL that inserts missing rows. */
  seed?: string;
}

const folder = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Who owns a database: one of that name, and a role of that name. */
export const owners: readonly Owner[] = [
  { name: "inventory", migrations: folder("inventory/migrations"), seed: folder("inventory/seed.sql") },
  { name: "orders", migrations: folder("orders/migrations") },
  { name: "users", migrations: folder("users/migrations"), seed: folder("users/seed.sql") },
];

const provisionLock = 7301;

/** Makes the roles and databases that are missing on a server; the owners' URLs. */
export async function provision(adminUrl: string): Promise<OwnerUrls> {
  await connected(adminUrl, async (admin) => {
    await admin.query("select pg_advisory_lock($1)", [provisionLock]);
    for (const { name } of owners) {
      const role = await admin.query("select from pg_roles where rolname = $1", [name]);
      if (role.rowCount === 0) await admin.query(`create role ${pg.escapeIdentifier(name)}`);
      await admin.query(
        `alter role ${pg.escapeIdentifier(name)} login password ${pg.escapeLiteral(password(adminUrl, name))}`,
      );
      await admin.query(`grant ${pg.escapeIdentifier(name)} to current_user`);
      await createDatabase(admin, name, name);
    }
  });
  return Object.fromEntries(owners.map(({ name }) => [name, ownerUrl(adminUrl, name)])) as OwnerUrls;
}

async function createDatabase(admin: pg.Client, database: string, owner: string): Promise<void> {
  const { rowCount } = await admin.query("select from pg_database where datname = $1", [database]);
  if (rowCount === 0) {
    await admin.query(`create database ${pg.escapeIdentifier(database)} owner ${pg.escapeIdentifier(owner)}`);
  }
  await admin.query(`revoke all on database ${pg.escapeIdentifier(database)} from public`);
}

function ownerUrl(adminUrl: string, name: OwnerName): string {
  const url = new URL(adminUrl);
  url.username = name;
  url.password = password(adminUrl, name);
  url.pathname = `/${name}`;
  return url.href;
}

/** Follows from the administrator's own secret: nothing to keep, and two programs on one server agree. */
const password = (adminUrl: string, name: OwnerName) =>
  createHmac("sha256", new URL(adminUrl).password).update(name).digest("hex");

/** Inserts the rows that are missing, and moves the stock of the items named in `stock`, initial and available alike. */
export async function seed(urls: OwnerUrls, { stock = {} }: { stock?: Record<string, number> } = {}): Promise<void> {
  for (const { name, seed } of owners) if (seed) await applySeed(urls[name], seed);
  if (Object.keys(stock).length > 0) await connected(urls.inventory, (client) => setStock(client, stock));
}

async function setStock(client: pg.Client, stock: Record<string, number>): Promise<void> {
  await client.query("begin");
  for (const [item, initial] of Object.entries(stock).sort()) {
    const { rowCount } = await client.query(
      `update items set initial = $2::bigint, available = available + ($2::bigint - initial)
       where item = $1 and available + ($2::bigint - initial) >= 0`,
      [item, initial],
    );
    if (rowCount === 1) continue;
    const { rows } = await client.query("select initial - available as sold from items where item = $1", [item]);
    const state = rows[0] ? `${rows[0].sold} are sold already` : "there is no such item";
    throw new Error(`Cannot set the stock of "${item}" to ${initial}: ${state}`);
  }
  await client.query("commit");
}

/** A database of its own under a random name, with an owner's schema and seed. */
export async function createScratch(
  adminUrl: string,
  name: OwnerName,
): Promise<{ url: string; drop(): Promise<void> }> {
  const database = `scratch_${randomUUID().replaceAll("-", "")}`;
  await connected(adminUrl, (admin) => admin.query(`create database ${database}`));
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  for (const { migrations, seed } of owners.filter((one) => one.name === name)) {
    await applyMigrations(url.href, migrations);
    if (seed) await applySeed(url.href, seed);
  }
  return {
    url: url.href,
    drop: () =>
      connected(adminUrl, async (admin) => void (await admin.query(`drop database ${database} with (force)`))),
  };
}
