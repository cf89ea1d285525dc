import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, type Postgres, startPostgres } from "./postgres.ts";
import { startProcess } from "./process.ts";
import { shop } from "./shop.ts";
import { alive, send, until } from "./testing.ts";

const script = (name: string) => fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
const anyPorts = [...shop, { name: "targets" }].flatMap(({ name }) => ["--port", `${name}=0`]);
let folder: string;
let dataDir: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "shop-dev-"));
  await chmod(folder, 0o755);
  dataDir = join(folder, "data");
});
after(() => rm(folder, { recursive: true }));

const env = () => ({ ...process.env, DATABASE_URL: undefined, SHOP_DATA_DIR: dataDir });

function startDev(ports = anyPorts) {
  const lines: string[] = [];
  const options = { env: env(), orphanSignal: "SIGKILL" as const, onLine: (line: string) => void lines.push(line) };
  return { ...startProcess({ command: [process.execPath, script("main"), ...ports], ...options }), lines };
}

async function openDev() {
  const dev = startDev();
  await until("the shop is open", () => dev.lines.some((line) => line.startsWith("  curl ")), 30_000);
  const gateway = /API\s+(\S+)/.exec(dev.lines.join("\n"))?.[1];
  return {
    ...dev,
    order: () =>
      send(`${gateway}/orders`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ item: "item3", quantity: 1 }),
      }),
    get: async (path: string) => JSON.parse((await send(`${gateway}/${path}`)).body),
    async end(signal: "SIGINT" | "SIGKILL") {
      dev.signal(signal);
      return dev.closed;
    },
  };
}

test("what was ordered is there after Ctrl-C and a new start, and after kill -9 and a new start", async () => {
  const ids: string[] = [];
  for (const signal of ["SIGINT", "SIGKILL", "SIGINT"] as const) {
    const dev = await openDev();
    for (const id of ids) assert.equal((await dev.get(`orders/${id}`)).status, "CONFIRMED");
    const placed = await dev.order();
    assert.equal(placed.status, 201, placed.body);
    ids.push(JSON.parse(placed.body).orderId);
    assert.deepEqual(await dev.get("inventory"), { item1: 100, item2: 50, item3: 200 - ids.length });
    const exit = await dev.end(signal);
    assert.deepEqual(exit, signal === "SIGINT" ? { code: 0, signal: null } : { code: null, signal });
  }
});

test("a second dev on the same data is refused in one line, and the first goes on", async () => {
  const dev = await openDev();
  const second = startDev();
  assert.deepEqual(await second.closed, { code: 1, signal: null });
  assert.equal(second.lines.length, 1);
  assert.match(`${second.lines[0]}`, /^Cannot start PostgreSQL in ".*": process \d+ is running on it/);
  assert.equal((await dev.order()).status, 201);
  await dev.end("SIGINT");
});

test("migrate and seed find the server of a running dev, and start it where there is none", async () => {
  const run = (name: string, ...args: string[]) => {
    const command = [script(name), ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { env: env(), encoding: "utf8" });
    return { status, output: stdout + stderr };
  };
  const dev = await openDev();
  const { item1 } = await dev.get("inventory");
  assert.equal(run("migrate").output, "inventory: up to date\norders: up to date\nusers: up to date\n");
  assert.deepEqual(run("seed", "--stock", "item1=100000"), { status: 0, output: "seeded item1=100000\n" });
  assert.deepEqual((await dev.get("inventory")).item1, 100_000 - (100 - item1));
  await dev.end("SIGINT");
  assert.deepEqual(run("seed", "--stock", "item1=100"), { status: 0, output: "seeded item1=100\n" });
  assert.equal(run("seed", "--stock", "item1").status, 1);
  assert.match(
    run("seed", "--stock", "item9=1").output,
    /^Cannot set the stock of "item9" to 1: there is no such item\n$/,
  );
});

test("PostgreSQL gone under dev: one line that says so, exit 1, no process left", async () => {
  const dev = await openDev();
  assert.equal((await dev.order()).status, 201);
  const postmaster = Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8"), 10);
  process.kill(postmaster, "SIGKILL");
  assert.deepEqual(await dev.closed, { code: 1, signal: null });
  assert.equal(dev.lines.at(-1), "Cannot go on: PostgreSQL ended by SIGKILL");
  assert.ok(!alive(postmaster));
});

test("a database that cannot be made ready: whoever asked meanwhile gets a problem, dev says why in one line and exits 1", async () => {
  const ports = await Promise.all(shop.map(async ({ name }) => ["--port", `${name}=${await freePort()}`]));
  const broken: Postgres = await startPostgres({ dataDir, durable: false });
  const dev = startDev([...anyPorts, ...ports.flat()]);
  const gateway = ports
    .flat()
    .find((text) => text.startsWith("gateway="))
    ?.slice("gateway=".length);
  let early: Awaited<ReturnType<typeof send>> | undefined;
  await until("somebody has asked", async () => {
    early = await send(`http://127.0.0.1:${gateway}/api/users`).catch(() => undefined);
    return early;
  });
  assert.equal(early?.status, 503);
  assert.equal(early?.headers["content-type"], "application/problem+json");
  assert.match(`${early?.body}`, /"detail":"Cannot wake \\"gateway\\": no database".*"traceId":"[0-9a-f]{32}"/);
  assert.deepEqual(await dev.closed, { code: 1, signal: null });
  assert.equal(dev.lines.length, 1);
  await broken.stop();
});
