import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { type MiniatureOptions, openMiniature } from "./miniature.ts";
import { startProcess } from "./process.ts";
import type { ShopFunction } from "./shop.ts";
import { alive, send, until, wellBehaved, writeFunction } from "./testing.ts";

const functions: ShopFunction[] = [
  { name: "edge", port: 0, ownsData: false, peers: { CORE_URL: "core" } },
  { name: "core", port: 0, ownsData: true, peers: {} },
];

/** Answers with what its peer answers, once told to go on. */
const edge = wellBehaved.replace(
  "const paths = {",
  `const paths = {
  "/ask": async (request, reply) => {
    console.log("asked");
    for await (const _chunk of request);
    reply.end(await (await fetch(process.env.CORE_URL, { method: "POST" })).text());
  },`,
);

async function open(overrides: Partial<MiniatureOptions> = {}) {
  const files = { edge: await writeFunction(edge), core: await writeFunction() };
  const events: string[] = [];
  const miniature = await openMiniature({
    functions,
    command: (name) => [process.execPath, files[name as "edge" | "core"]],
    env: { ...process.env, DATABASE_URL: "postgres://server", OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector" },
    databaseUrls: Promise.resolve({ core: "postgres://core" }),
    windowMs: Number.POSITIVE_INFINITY,
    onEvent: (name, event) => events.push(event.type === "line" ? `${name}: ${event.line}` : `${name} ${event.type}`),
    ...overrides,
  });
  return { ...miniature, events, [Symbol.asyncDispose]: miniature.close };
}

test("a function finds its peers and, where it owns data, its own database only", async () => {
  await using shop = await open();
  const edgeEnv = JSON.parse((await send(`${shop.url("edge")}/env`)).body);
  const coreEnv = JSON.parse((await send(`${shop.url("core")}/env`)).body);
  assert.equal(edgeEnv.CORE_URL, shop.url("core"));
  assert.equal(edgeEnv.DATABASE_URL, undefined);
  assert.equal(coreEnv.DATABASE_URL, "postgres://core");
  for (const env of [edgeEnv, coreEnv]) {
    assert.equal(env.HOST, "127.0.0.1");
    assert.equal(env.OTEL_EXPORTER_OTLP_ENDPOINT, "http://collector");
  }
});

test("maintenance of a function finds what the function finds, but for what Knative adds", async () => {
  await using shop = await open();
  const { PORT, K_SERVICE, K_CONFIGURATION, K_REVISION, ...found } = JSON.parse(
    (await send(`${shop.url("core")}/env`)).body,
  );
  assert.deepEqual(shop.env("core"), found);
});

test("the live processes are those of all functions that are awake", async () => {
  await using shop = await open();
  assert.deepEqual(shop.processes(), []);
  const { port } = JSON.parse((await send(shop.url("core"))).body);
  assert.deepEqual(shop.processes(), [{ name: "core", revision: "core-00001", port }]);
  await send(shop.url("edge"));
  assert.deepEqual(
    shop.processes().map(({ name }) => name),
    ["edge", "core"],
  );
});

test("one request wakes the whole chain, and only the chain", async () => {
  await using shop = await open();
  assert.deepEqual(shop.events, []);
  assert.equal((await send(`${shop.url("edge")}/ask`, { method: "POST" })).status, 200);
  assert.deepEqual(shop.events, ["edge awake", "edge: asked", "core awake"]);
});

test("a proxy to the world does not stand between peers", async () => {
  const env = { ...process.env, HTTP_PROXY: "http://127.0.0.1:1", NO_PROXY: "example.com" };
  await using shop = await open({ env });
  assert.equal((await send(`${shop.url("edge")}/ask`, { method: "POST" })).status, 200);
});

test("requests that come before the databases are ready wait for them", async () => {
  const databases = Promise.withResolvers<Record<string, string>>();
  await using shop = await open({ databaseUrls: databases.promise });
  const waiting = send(`${shop.url("core")}/env`);
  await send(`${shop.url("core")}/metrics`);
  assert.deepEqual(shop.events, []);
  databases.resolve({ core: "postgres://late" });
  assert.equal(JSON.parse((await waiting).body).DATABASE_URL, "postgres://late");
});

test("close loses no reply under way, not even one that still has to ask a peer", async () => {
  await using shop = await open();
  const request = http.request(`${shop.url("edge")}/ask`, { method: "POST", agent: false });
  request.write("wait");
  await until("it is under way", () => shop.events.includes("edge: asked"));
  const closed = shop.close();
  await assert.rejects(send(shop.url("edge")), { code: "ECONNREFUSED" });
  const reply = new Promise<http.IncomingMessage>((resolve) => request.once("response", resolve));
  request.end();
  assert.equal((await reply).statusCode, 200);
  (await reply).resume();
  await closed;
  assert.deepEqual(shop.events.slice(2).sort(), ["core asleep", "core awake", "edge asleep"]);
});

test("a port that is taken is named with its function, and none stays open", async () => {
  await using shop = await open();
  const taken = Number(new URL(shop.url("core")).port);
  const [first, second] = functions as [ShopFunction, ShopFunction];
  await assert.rejects(open({ functions: [first, { ...second, port: taken }] }), {
    message: `Cannot open port "${taken}" of core: already in use`,
  });
});

test("children do not outlive a parent killed by SIGKILL", async () => {
  const file = await writeFunction();
  const parent = await writeFunction(`
    import { openMiniature } from ${JSON.stringify(new URL("./miniature.ts", import.meta.url).href)};
    const shop = await openMiniature({
      functions: ${JSON.stringify(functions)},
      command: () => [process.execPath, ${JSON.stringify(file)}],
      env: process.env,
      databaseUrls: Promise.resolve({}),
      windowMs: Infinity,
      onEvent: () => {},
    });
    console.log(shop.url("edge"));
    console.log(shop.url("core"));
  `);
  const urls: string[] = [];
  const process_ = startProcess({
    command: [process.execPath, parent],
    orphanSignal: "SIGKILL",
    onLine: (l) => urls.push(l),
  });
  await until("both ports are open", () => urls.length === 2);
  const pids = await Promise.all(urls.map(async (url) => JSON.parse((await send(url)).body).pid));
  assert.deepEqual(pids.map(alive), [true, true]);
  process_.signal("SIGKILL");
  await until("no child is left", () => !pids.some(alive));
});
