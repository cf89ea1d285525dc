import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { postgresDataDir, runningPostgres, startPostgres } from "./postgres.ts";
import { startProcess } from "./process.ts";
import { postgresPrograms } from "./programs.ts";
import { alive, until } from "./testing.ts";

const writerFile = fileURLToPath(new URL("./fixtures/writer.ts", import.meta.url));

describe("the project's own PostgreSQL", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "shop-test-"));
    await chmod(folder, 0o755);
  });
  after(() => rm(folder, { recursive: true }));

  it("loses no acknowledged row to kill -9, leaves no process, and starts again on the same folder", async () => {
    const dataDir = join(folder, "killed");
    const acknowledged: number[] = [];
    for (const round of [0, 1, 2]) {
      const parent = spawn(process.execPath, [writerFile, dataDir, `${round}`], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let acks = 0;
      parent.stdout.on("data", (chunk) => {
        acks += String(chunk).split("\n").length - 1;
      });
      await until("200 rows are acknowledged", () => acks >= 200);
      const postmaster = await holderOf(dataDir);
      parent.kill("SIGKILL");
      if (round === 1) process.kill(postmaster, "SIGKILL");
      await new Promise((resolve) => parent.once("close", resolve));
      acknowledged.push(acks);
      await until("the server has followed its parent", () => !alive(postmaster), 5_000);
    }
    const server = await startPostgres({ dataDir });
    try {
      const kept = await Promise.all(acknowledged.map((acks, round) => count(server.url, round, acks)));
      assert.deepEqual(kept, acknowledged);
    } finally {
      await server.stop();
    }
  });

  it("refuses a second start on its folder and names the process that has it", async () => {
    const dataDir = join(folder, "twice");
    const server = await startPostgres({ dataDir, durable: false });
    try {
      assert.equal(await runningPostgres(dataDir), server.url);
      const holder = await holderOf(dataDir);
      await assert.rejects(startPostgres({ dataDir }), {
        message: `Cannot start PostgreSQL in "${dataDir}": process ${holder} is running on it, perhaps another "bun run dev"`,
      });
    } finally {
      await server.stop();
    }
    assert.equal(await runningPostgres(dataDir), undefined);
  });

  it("a server that was killed itself has left its lock, which refuses nobody", async () => {
    const dataDir = join(folder, "stale");
    await startPostgres({ dataDir });
    process.kill(await holderOf(dataDir), "SIGKILL");
    const server = await startPostgres({ dataDir });
    await server.stop();
  });

  it("nor does a lock whose number is another program's by now", async () => {
    const dataDir = join(folder, "reused");
    await startPostgres({ dataDir });
    const lock = join(dataDir, "postmaster.pid");
    const { uid, gid } = await stat(lock);
    const killed = await holderOf(dataDir);
    process.kill(killed, "SIGKILL");
    await until("the server is gone", () => !alive(killed));
    const identity = process.getuid?.() === 0 ? { uid, gid } : {};
    const other = startProcess({ command: ["sleep", "60"], ...identity, orphanSignal: "SIGKILL" });
    await writeFile(lock, (await readFile(lock, "utf8")).replace(`${killed}`, `${other.pid}`));
    const server = await startPostgres({ dataDir });
    await server.stop();
    other.signal("SIGKILL");
    await other.exited;
  });

  it("does not take the server that has its port for its own", async () => {
    const dataDir = join(folder, "mine");
    const mine = await startPostgres({ dataDir });
    process.kill(await holderOf(dataDir), "SIGKILL");
    await until("the port is free", () => isFree(mine.port));
    const other = await startPostgres({ dataDir: join(folder, "other"), port: mine.port, durable: false });
    assert.equal(await runningPostgres(dataDir), undefined);
    await assert.rejects(startPostgres({ dataDir, port: mine.port }), /could not create any TCP\/IP sockets/);
    await other.stop();
  });

  it("two first starts at once give one server and one refusal, and a folder that is whole", async () => {
    const dataDir = join(folder, "race");
    const starts = await Promise.allSettled([startPostgres({ dataDir }), startPostgres({ dataDir })]);
    const started = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    assert.equal(started.length, 1);
    await started[0]?.stop();
    const again = await startPostgres({ dataDir });
    await again.stop();
  });

  it("keeps its data beside the project, or elsewhere when root's project lies behind a closed door", async () => {
    assert.equal(await postgresDataDir(folder), join(folder, ".data", "postgres"));
    await chmod(folder, 0o700);
    const closed = await postgresDataDir(folder);
    await chmod(folder, 0o755);
    if (process.getuid?.() !== 0) return assert.equal(closed, join(folder, ".data", "postgres"));
    assert.match(closed, /^\/var\/tmp\/shop-[0-9a-f]{12}\/postgres$/);
    assert.match(await postgresPrograms({ forOthers: true }), /^\/var\/tmp\//);
    const server = await startPostgres({ dataDir: closed, durable: false });
    await server.stop();
    await rm(dirname(closed), { recursive: true });
  });
});

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer().on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

const holderOf = async (dataDir: string): Promise<number> =>
  Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8"), 10);

/** How many of a round's first rows are there. */
async function count(url: string, round: number, rowsMax: number): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query("select from acknowledged where round = $1 and n < $2", [round, rowsMax]);
  await client.end();
  return rowCount ?? 0;
}
