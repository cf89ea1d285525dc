import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSink } from "../tests/otlp-sink.ts";
import { type Postgres, startPostgres } from "./postgres.ts";
import { startProcess } from "./process.ts";
import { shop } from "./shop.ts";
import { alive, send, until } from "./testing.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
const anyPorts = [...shop, { name: "targets" }].flatMap(({ name }) => ["--port", `${name}=0`]);
const dataDir = join(tmpdir(), `shop-dev-${randomUUID()}`);
let postgres: Postgres;

before(async () => {
  postgres = await startPostgres({ dataDir, durable: false });
});

after(async () => {
  await postgres.stop();
  await rm(dataDir, { recursive: true });
});

function start(args: string[], env: Record<string, string> = {}) {
  const lines: string[] = [];
  const dev = startProcess({
    command: [process.execPath, main, ...args],
    env: { ...process.env, DATABASE_URL: postgres.url, OTEL_EXPORTER_OTLP_ENDPOINT: "", ...env },
    orphanSignal: "SIGKILL",
    onLine: (line) => lines.push(line),
  });
  return { ...dev, lines, has: (pattern: RegExp) => lines.some((line) => pattern.test(line)) };
}

/** The shop on any free ports, open. */
async function open(args: string[] = [], env: Record<string, string> = {}) {
  const dev = start([...anyPorts, ...args], env);
  await until("the shop is open", () => dev.has(/^ {2}curl /));
  const gateway = dev.lines.join("\n").match(/API\s+(\S+)\/api/)?.[1];
  const targetsUrl = dev.lines.join("\n").match(/metrics\s+(\S+\/targets)/)?.[1];
  const order = () =>
    send(`${gateway}/api/orders`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ item: "item3", quantity: 1 }),
    });
  const targets = async (): Promise<{ targets: string[]; labels: Record<string, string> }[]> =>
    JSON.parse((await send(`${targetsUrl}`)).body);
  return { ...dev, gateway, order, targets, [Symbol.asyncDispose]: async () => void dev.signal("SIGKILL") };
}

/** All processes below one, itself left out. */
function descendants(pid: number): number[] {
  const { stdout } = spawnSync("ps", ["-axo", "pid=,ppid="], { encoding: "utf8" });
  const rows = stdout
    .trim()
    .split("\n")
    .map((row) => row.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    rows.flatMap(([child = 0, itsParent]) => (itsParent === parent ? [child, ...below(child)] : []));
  return below(pid);
}

test("an order wakes gateway, orders and inventory, which sleep again, 20 times", async () => {
  await using dev = await open(["--window", "200ms"]);
  for (let round = 1; round <= 20; round++) {
    const { status, body } = await dev.order();
    assert.equal(status, 201, body);
    const asleep = (name: string) =>
      dev.lines.filter((line) => line.includes(`${name} `) && line.includes("asleep after"));
    await until("all sleep", () => ["gateway", "orders", "inventory"].every((name) => asleep(name).length >= round));
  }
  assert.deepEqual(descendants(dev.pid).filter(alive), []);
  assert.ok(!dev.has(/Cannot|exit code/), dev.lines.join("\n"));
});

test("an order is seen by whoever reads the list of targets, and who reads keeps nobody awake", async () => {
  await using dev = await open(["--window", "2s"]);
  assert.deepEqual(await dev.targets(), []);
  assert.equal((await dev.order()).status, 201);
  const agent = new http.Agent({ keepAlive: true }); // as Prometheus does, which keeps its connections
  const groups = await dev.targets();
  assert.deepEqual(
    groups.map(({ labels }) => labels),
    ["gateway", "orders", "inventory"].map((name) => ({ function: name, revision: `${name}-00001` })),
  );
  for (const { targets, labels } of groups) {
    const { status, body } = await send(`http://${targets[0]}/metrics`, { agent });
    assert.equal(status, 200);
    assert.match(body, new RegExp(`^http_requests_total{.*service="${labels.function}".*} 1$`, "m"));
  }
  await until("all are gone, though they are read", async () => {
    const scrapes = groups.map(({ targets }) => send(`http://${targets[0]}/metrics`, { agent }).catch(() => {}));
    await Promise.all(scrapes);
    return (await dev.targets()).length === 0;
  });
  agent.destroy();
  assert.ok(!dev.has(/Cannot|exit code/), dev.lines.join("\n"));
});

test("after Ctrl-C a process is still listed until its last reply has ended", async () => {
  await using dev = await open();
  const headers = { "Content-Type": "application/json" };
  const request = http.request(`${dev.gateway}/api/orders`, { method: "POST", headers, agent: false });
  request.write('{"item":"item3",');
  const named = async () => (await dev.targets()).map(({ labels }) => labels.function);
  await until("the gateway is awake", async () => (await named()).includes("gateway"));
  dev.signal("SIGINT");
  await until("it stops", () => dev.has(/^Stopping/));
  assert.deepEqual(await named(), ["gateway"]);
  const reply = new Promise<http.IncomingMessage>((resolve) => request.once("response", resolve));
  request.end('"quantity":1}');
  assert.equal((await reply).resume().statusCode, 201);
  assert.deepEqual(await dev.closed, { code: 0, signal: null });
});

test("with a collector in its environment dev says so, and the functions send their spans there", async () => {
  await using sink = await openSink();
  await using dev = await open(["--window", "200ms"], { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url });
  assert.ok(dev.has(new RegExp(`^ {2}traces +${sink.url}/v1/traces$`)));
  assert.equal((await dev.order()).status, 201);
  const names = ["gateway", "orders", "inventory"];
  await until("all have stopped", () => dev.lines.filter((line) => /stopped {2}spans/.test(line)).length === 3);
  assert.deepEqual(new Set(sink.spans.map(({ service }) => service)), new Set(names));
  const counts = dev.lines.flatMap((line) => /spans (\d+) exported, 0 dropped$/.exec(line)?.[1] ?? []);
  assert.equal(
    counts.reduce((sum, count) => sum + Number(count), 0),
    sink.spans.length,
  );
});

test("without one it speaks of no traces, and the functions send no spans", async () => {
  await using dev = await open(["--window", "200ms"]);
  assert.equal((await dev.order()).status, 201);
  await until("all have stopped", () => dev.lines.filter((line) => /stopped$/.test(line)).length === 3);
  assert.ok(!dev.has(/traces|spans/), dev.lines.join("\n"));
});

test("each wake is told in one line: how long each phase took, and for which trace", async () => {
  await using dev = await open();
  assert.equal((await dev.order()).status, 201);
  const ms = "[\\d.]+ m?s";
  const phases = `modules ${ms} · config ${ms} · listen ${ms} · idle ${ms} · first request ${ms}`;
  for (const name of ["gateway", "orders", "inventory"]) {
    const line = new RegExp(`${name} +cold start {2}${phases} {2}[0-9a-f]{32}$`);
    await until(`${name} has told its start`, () => dev.has(line));
    assert.ok(
      dev.has(new RegExp(`${name} +(POST|PUT) \\S+ 20[01] ${ms} {2}cold {2}[0-9a-f]{32}$`)),
      dev.lines.join("\n"),
    );
  }
});

test("a setting that would stop every function stops dev itself: one line that names it, exit 1", async () => {
  const dev = start(anyPorts, { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" });
  assert.deepEqual(await dev.closed, { code: 1, signal: null });
  assert.deepEqual(dev.lines, ["Cannot start: OTEL_EXPORTER_OTLP_PROTOCOL should be http/protobuf"]);
});

test("Ctrl-C: the replies under way arrive, all functions drain, exit 0", async () => {
  await using dev = await open();
  await dev.order();
  const children = descendants(dev.pid);
  assert.ok(children.length >= 3);
  const replies = Array.from({ length: 20 }, dev.order);
  await until("some are under way", () => dev.lines.filter((line) => line.includes("PUT /reservations")).length > 1);
  dev.signal("SIGINT");
  const statuses = (await Promise.allSettled(replies)).map((reply) =>
    reply.status === "fulfilled" ? reply.value.status : reply.reason.code,
  );
  assert.deepEqual(new Set(statuses), new Set([201]));
  assert.deepEqual(await dev.closed, { code: 0, signal: null });
  assert.deepEqual(children.filter(alive), []);
});

test("one Ctrl-C that arrives twice, as `bun run` makes it, and a closed terminal drain all the same", async () => {
  for (const [first, echo] of [
    ["SIGINT", "SIGINT"],
    ["SIGHUP", "SIGHUP"],
  ] as const) {
    await using dev = await open();
    await dev.order();
    const reply = dev.order();
    await until("it is under way", () => dev.lines.filter((line) => line.includes("PUT /reservations")).length > 1);
    dev.signal(first);
    dev.signal(echo);
    assert.equal((await reply).status, 201);
    assert.deepEqual(await dev.closed, { code: 0, signal: null });
  }
});

test("it drains although nobody reads its output any more", async () => {
  const child = spawn(process.execPath, [main, ...anyPorts], {
    env: { ...process.env, DATABASE_URL: postgres.url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  await until("the shop is open", () => /^ {2}curl /m.test(output));
  await send(`${/API\s+(\S+)/.exec(output)?.[1]}/users`);
  const closed = once(child.stdout, "close");
  child.stdout.destroy();
  await closed;
  child.kill("SIGHUP");
  const [code] = await once(child, "exit");
  assert.deepEqual({ code, errors }, { code: 0, errors: "" });
});

test("a second Ctrl-C does not wait: a frozen function is killed with the others", async () => {
  await using dev = await open();
  await dev.order();
  const children = descendants(dev.pid);
  for (const child of children) process.kill(child, "SIGSTOP");
  dev.signal("SIGINT");
  await until("it stops", () => dev.has(/^Stopping/));
  await until("a later signal has ended it", () => !dev.signal("SIGINT"));
  assert.deepEqual(await dev.exited, { code: 130, signal: null });
  await until("none is left", () => !children.some(alive));
});

test("kill -9 leaves no process behind", async () => {
  await using dev = await open();
  await dev.order();
  const children = descendants(dev.pid);
  dev.signal("SIGKILL");
  await until("none is left", () => !children.some(alive));
});

test("a port that is taken: one line that names it and its function, exit 1", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await until("the port is taken", () => server.listening);
  const { port } = server.address() as net.AddressInfo;
  for (const name of ["users", "targets"]) {
    const dev = start([...anyPorts, "--port", `${name}=${port}`]);
    assert.deepEqual(await dev.closed, { code: 1, signal: null });
    assert.deepEqual(dev.lines, [`Cannot open port "${port}" of ${name}: already in use`]);
  }
  server.close();
});

test("a server that cannot be reached: one line, exit 1", async () => {
  const dev = start(anyPorts, { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" });
  assert.deepEqual(await dev.closed, { code: 1, signal: null });
  assert.equal(dev.lines.length, 1);
  assert.match(`${dev.lines[0]}`, /^Cannot use the server at DATABASE_URL: /);
});

test("a flag that cannot be read: one line, exit 1; --help: the flags, exit 0", async () => {
  const wrong = start(["--window", "soon"]);
  assert.deepEqual(await wrong.closed, { code: 1, signal: null });
  assert.equal(wrong.lines.length, 1);
  const help = start(["--help"]);
  assert.deepEqual(await help.closed, { code: 0, signal: null });
  assert.ok(help.has(/--always-on/));
});
