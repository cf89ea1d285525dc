import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, parse } from "node:path";
import { after, before, describe, it } from "node:test";
import { applyMigrations } from "@shop/platform/migrate";
import pg from "pg";
import { createScratch, type OwnerUrls, owners, provision, seed } from "./database.ts";
import { type Postgres, startPostgres } from "./postgres.ts";

describe("the owners' databases", () => {
  let dataDir: string;
  let server: Postgres;
  let urls: OwnerUrls;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "shop-test-"));
    server = await startPostgres({ dataDir, durable: false });
  });
  after(async () => {
    await server.stop();
    await rm(dataDir, { recursive: true });
  });

  it("two who provision at once agree, and again changes nothing", async () => {
    const [one, other] = await Promise.all([provision(server.url), provision(server.url)]);
    assert.deepEqual(one, other);
    urls = await provision(server.url);
    assert.deepEqual(urls, one);
  });

  it("provisioning shuts a database that it was interrupted in making", async () => {
    await query(server.url, "grant connect on database orders to public");
    await provision(server.url);
    await assert.rejects(query(new URL("/orders", urls.users).href, "select 1"), /permission denied for database/);
  });

  it("no owner can enter another's database", async () => {
    const trespass = new URL("/orders", urls.users).href;
    await assert.rejects(query(trespass, "select 1"), /permission denied for database/);
  });

  it("seeding before migrating says whose data are missing what", async () => {
    await assert.rejects(seed(urls), { message: 'Cannot seed "inventory": relation "items" does not exist' });
  });

  it("a migration that fails is named, and leaves nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "shop-test-"));
    await writeFile(
      join(folder, "1_wrong.sql"),
      "-- Up Migration\ncreate table half (n int);\ncreat table wrong (n int);",
    );
    await assert.rejects(applyMigrations(urls.users, folder), {
      message: 'Cannot migrate "1_wrong": syntax error at or near "creat"',
    });
    assert.deepEqual(await query(urls.users, "select to_regclass('half') as half"), [{ half: null }]);
    await rm(folder, { recursive: true });
  });

  it("two who migrate at once both succeed, and each migration is applied once", async () => {
    for (const { name, migrations } of owners) {
      const applied = await Promise.all([
        applyMigrations(urls[name], migrations),
        applyMigrations(urls[name], migrations),
      ]);
      const all = (await readdir(migrations)).map((file) => parse(file).name).sort();
      assert.deepEqual(applied.flat().sort(), all);
      assert.deepEqual(await applyMigrations(urls[name], migrations), []);
    }
  });

  it("seeding inserts missing rows only", async () => {
    await seed(urls);
    assert.deepEqual(await stock(), { item1: [100, 100], item2: [50, 50], item3: [200, 200] });
    await query(
      urls.inventory,
      "update items set available = 7 where item = 'item1'; delete from items where item = 'item2'",
    );
    await seed(urls);
    assert.deepEqual(await stock(), { item1: [100, 7], item2: [50, 50], item3: [200, 200] });
    assert.deepEqual(await query(urls.users, "select id, name from users order by id"), [
      { id: 1, name: "Alice" },
      { id: 2, name: "Bob" },
    ]);
  });

  it("a new stock moves what there was and what is left alike", async () => {
    await seed(urls, { stock: { item1: 100_000 } });
    assert.deepEqual((await stock()).item1, [100_000, 99_907]);
  });

  it("a stock below what is sold, or of an unknown item, is refused and nothing changes", async () => {
    const before = await stock();
    await assert.rejects(seed(urls, { stock: { item3: 1, item1: 92 } }), {
      message: 'Cannot set the stock of "item1" to 92: 93 are sold already',
    });
    await assert.rejects(seed(urls, { stock: { item3: 1, item9: 1 } }), {
      message: 'Cannot set the stock of "item9" to 1: there is no such item',
    });
    assert.deepEqual(await stock(), before);
  });

  it("a scratch database has its owner's schema and seed, and goes", async () => {
    const scratch = await createScratch(server.url, "inventory");
    assert.equal((await query(scratch.url, "select from items")).length, 3);
    await scratch.drop();
    await assert.rejects(query(scratch.url, "select 1"), /does not exist/);
  });

  async function stock(): Promise<Record<string, [number, number]>> {
    const rows = await query(urls.inventory, "select item, initial::int, available::int from items");
    return Object.fromEntries(rows.map(({ item, initial, available }) => [item, [initial, available]]));
  }
});

// biome-ignore lint/suspicious/noExplicitAny: rows of any query
async function query(url: string, sql: string): Promise<any[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
