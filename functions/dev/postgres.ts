import { spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { access, chmod, chown, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { type ProcessExit, type ProcessOptions, startProcess } from "./process.ts";
import { postgresPrograms } from "./programs.ts";

export interface Postgres {
  /** Of its superuser, for whom no password is needed on this machine. */
  url: string;
  port: number;
  /** The server is gone, asked to or not. */
  exited: Promise<ProcessExit>;
  stop(): Promise<void>;
}

interface StartOptions {
  dataDir: string;
  /** 0 for any free one. */
  port?: number;
  /** False for throw-away data: nothing waits for the disk. */
  durable?: boolean;
}

const superuser = "postgres";
/** PostgreSQL refuses to run as root: there it runs as nobody. */
const nobody = 65534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: nobody, gid: nobody } : {};
const startTimeoutMs = 30_000;
/** After a `kill -9` the server before may still be closing, be dead and not yet buried, or have processes left. */
const takeoverTimeoutMs = 5_000;
const pollMs = 10;
const outputLinesMax = 100;
const connectionsMax = 200;
const notDurable = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/** Where a project's own data lie: beside it, or where nobody can reach them when root's project lies behind a closed door. */
export async function postgresDataDir(projectDir: string): Promise<string> {
  if (!isRoot || (await reachable(projectDir))) return join(projectDir, ".data", "postgres");
  const name = createHash("sha256").update(projectDir).digest("hex").slice(0, 12);
  return `/var/tmp/shop-${name}/postgres`;
}

/** Starts the PostgreSQL that comes from npm on `dataDir`, which it makes when it is not there; it dies with this process. */
export async function startPostgres({ dataDir, port = 0, durable = true }: StartOptions): Promise<Postgres> {
  const bin = await postgresPrograms({ forOthers: isRoot });
  await initialise(bin, dataDir);
  const listenPort = port || (await freePort());
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${listenPort}`,
    "unix_socket_directories=", // a socket's path may not be as long as a project's
    `max_connections=${connectionsMax}`,
    ...(durable ? [] : notDurable),
  ];
  const command: ProcessOptions["command"] = [
    join(bin, "postgres"),
    "-D",
    dataDir,
    ...settings.flatMap((setting) => ["-c", setting]),
  ];
  const server = await untilReady({ command, dataDir });
  return {
    url: urlOf(listenPort),
    port: listenPort,
    exited: server.exited,
    async stop() {
      server.signal("SIGINT");
      await server.exited;
    },
  };
}

/** The URL of the server that runs on `dataDir` now. */
export async function runningPostgres(dataDir: string): Promise<string | undefined> {
  const { text, port } = await lockOf(dataDir);
  if (!port) return undefined;
  const client = new pg.Client({ connectionString: urlOf(port), connectionTimeoutMillis: 1_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    // A lock left by a crash may name a port that another folder's server has by now.
    const { rows } = await client.query("select pg_read_file('postmaster.pid') as lock");
    return rows[0].lock === text ? urlOf(port) : undefined;
  } catch {
    return undefined;
  } finally {
    client.end().catch(() => {}); // not awaited: on a connection that never was it may wait for ever
  }
}

const urlOf = (port: number) => `postgres://${superuser}@127.0.0.1:${port}/postgres`;

async function untilReady({ command, dataDir }: { command: ProcessOptions["command"]; dataDir: string }) {
  const startedMs = Date.now();
  for (;;) {
    const lines: string[] = [];
    const server = startProcess({
      command,
      cwd: "/",
      ...identity,
      orphanSignal: "SIGINT",
      onLine: (line) => lines.length < outputLinesMax && lines.push(line),
    });
    let ended = false;
    server.closed.then(() => {
      ended = true;
    });
    while (!ended) {
      const { pid, ready } = await lockOf(dataDir);
      if (pid === server.pid && ready) return server;
      if (Date.now() - startedMs > startTimeoutMs) {
        server.signal("SIGKILL");
        throw new Error(`Cannot start PostgreSQL in "${dataDir}": it is not ready after ${startTimeoutMs} ms`);
      }
      await wait(pollMs);
    }
    const output = lines.join("\n");
    const waitedMs = Date.now() - startedMs;
    const rival = Number(/\(PID (\d+)\)/.exec(output)?.[1]);
    const remains = /shared memory block .* still in use/.test(output) && waitedMs < takeoverTimeoutMs;
    if (!rival && !remains) throw new Error(`Cannot start PostgreSQL in "${dataDir}": ${fatal(output)}`);
    if (rival) await assertYielding({ rival, dataDir, waitedMs });
    await wait(pollMs * 10);
  }
}

/** Throws when the process that has the folder is there to stay. */
async function assertYielding({ rival, dataDir, waitedMs }: { rival: number; dataDir: string; waitedMs: number }) {
  if (!isPostgres(rival)) {
    // After a crash of the machine the lock's number may be any program's, and PostgreSQL itself would refuse for ever.
    if ((await lockOf(dataDir)).pid === rival) await rm(join(dataDir, "postmaster.pid"), { force: true });
  } else if (waitedMs > takeoverTimeoutMs || (await runningPostgres(dataDir))) {
    throw new Error(
      `Cannot start PostgreSQL in "${dataDir}": process ${rival} is running on it, perhaps another "bun run dev"`,
    );
  }
}

function isPostgres(pid: number): boolean {
  const { stdout, error } = spawnSync("ps", ["-o", "comm=", "-p", `${pid}`], { encoding: "utf8" });
  return error !== undefined || /postgres/.test(stdout);
}

/** The note that PostgreSQL keeps in a folder it serves; pg_ctl too learns from it when a server is ready. */
async function lockOf(dataDir: string) {
  const text = await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => "");
  const [pid, , , port, , , , state] = text.split("\n");
  return { text, pid: Number(pid), port: Number(port), ready: state?.trim() === "ready" };
}

const fatal = (output: string): string =>
  /(?:FATAL|error|ERROR): *(.*)/.exec(output)?.[1] ?? (output.trim() || "it ended at once");

/** Makes the data folder beside its place and renames it, so that a folder half made is never found. */
async function initialise(bin: string, dataDir: string): Promise<void> {
  if (await exists(join(dataDir, "PG_VERSION"))) return;
  const draft = `${dataDir}.${randomUUID()}`;
  const made = await mkdir(dirname(draft), { recursive: true });
  await mkdir(draft, { mode: 0o700 });
  if (isRoot) {
    if (made) await chmod(dirname(draft), 0o755); // whatever root's umask
    await chown(draft, nobody, nobody);
  }
  const lines: string[] = [];
  const command: ProcessOptions["command"] = [
    join(bin, "initdb"),
    `--pgdata=${draft}`,
    `--username=${superuser}`,
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
  ];
  const { closed } = startProcess({
    command,
    cwd: "/",
    ...identity,
    orphanSignal: "SIGKILL",
    onLine: (line) => lines.push(line),
  });
  try {
    const { code } = await closed;
    if (code !== 0) throw new Error(`Cannot create a database in "${dataDir}": ${fatal(lines.join("\n"))}`);
    await rename(draft, dataDir).catch(async (cause) => {
      if (await exists(join(dataDir, "PG_VERSION"))) return;
      throw new Error(`Cannot create a database in "${dataDir}": ${cause.message}`, { cause });
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Whether a user without rights can pass every folder on the way. */
async function reachable(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  return folder === dirname(folder) || reachable(dirname(folder));
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
