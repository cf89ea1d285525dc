import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { postgresDataDir, runningPostgres, startPostgres } from "./postgres.ts";
import { alive, until } from "./testing.ts";

const postgresUrl = JSON.stringify(new URL("./postgres.ts", import.meta.url).href);
const pgUrl = JSON.stringify(import.meta.resolve("pg"));

/** Inserts numbers one by one, and says each that the server has acknowledged. */
const writer = (dataDir: string) => `
  import { startPostgres } from ${postgresUrl};
  import pg from ${pgUrl};
  const { url } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)} });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("create table if not exists acknowledged (n integer)");
  for (let n = 0; ; n++) {
    await client.query("insert into acknowledged values ($1)", [n]);
    process.stdout.write("ok\\n");
  }`;

describe("the project's own PostgreSQL", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "shop-test-"));
    await chmod(folder, 0o755);
  });
  after(() => rm(folder, { recursive: true }));

  it("loses no acknowledged row to kill -9, leaves no process, and starts again on the same folder", async () => {
    const dataDir = join(folder, "killed");
    let acknowledged = 0;
    for (let round = 1; round <= 3; round++) {
      const parent = spawn(process.execPath, ["-e", writer(dataDir)], { stdio: ["ignore", "pipe", "inherit"] });
      let acks = 0;
      parent.stdout.on("data", (chunk) => {
        acks += String(chunk).split("\n").length - 1;
      });
      await until("200 rows are acknowledged", () => acks >= 200);
      const postmaster = Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8"), 10);
      parent.kill("SIGKILL");
      await new Promise((resolve) => parent.once("close", resolve));
      acknowledged += acks;
      await until("the server has followed its parent", () => !alive(postmaster), 5_000);
    }
    const server = await startPostgres({ dataDir });
    try {
      const kept = await count(server.url);
      assert.ok(kept >= acknowledged, `${acknowledged} rows were acknowledged, ${kept} are kept`);
    } finally {
      await server.stop();
    }
  });

  it("refuses a second start on its folder and names the process that has it", async () => {
    const dataDir = join(folder, "twice");
    const server = await startPostgres({ dataDir, durable: false });
    try {
      assert.equal(await runningPostgres(dataDir), server.url);
      const holder = Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8"), 10);
      await assert.rejects(startPostgres({ dataDir }), {
        message: `Cannot start PostgreSQL in "${dataDir}": process ${holder} is running on it, perhaps another "bun run dev"`,
      });
    } finally {
      await server.stop();
    }
    assert.equal(await runningPostgres(dataDir), undefined);
  });

  it("says which port it could not have", async () => {
    const blocker = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as { port: number };
    await assert.rejects(
      startPostgres({ dataDir: join(folder, "port"), port }),
      /could not create any TCP\/IP sockets/,
    );
    await new Promise((resolve) => blocker.close(resolve));
  });

  it("two first starts at once give one server and one refusal, and a folder that is whole", async () => {
    const dataDir = join(folder, "race");
    const starts = await Promise.allSettled([startPostgres({ dataDir }), startPostgres({ dataDir })]);
    const started = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    assert.equal(started.length, 1);
    await started[0]?.stop();
  });

  it("keeps its data beside the project, or elsewhere when root's project lies behind a closed door", async () => {
    assert.equal(await postgresDataDir(folder), join(folder, ".data", "postgres"));
    await chmod(folder, 0o700);
    const closed = await postgresDataDir(folder);
    await chmod(folder, 0o755);
    if (process.getuid?.() === 0) assert.match(closed, /^\/var\/tmp\/shop-[0-9a-f]{12}\/postgres$/);
    else assert.equal(closed, join(folder, ".data", "postgres"));
  });
});

async function count(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query("select count(*)::int as rows from acknowledged");
  await client.end();
  return rows[0].rows;
}
