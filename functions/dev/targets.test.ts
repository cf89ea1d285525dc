import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { metrics } from "@shop/platform/catalogue";
import type { SlotOptions } from "./slot.ts";
import { openTargets } from "./targets.ts";
import { openFunction, send, until, wellBehaved, writeFunction } from "./testing.ts";

type Group = { targets: string[]; labels: Record<string, string> };

/** A function, and the list of its processes. */
async function open(source?: string, overrides: Partial<Omit<SlotOptions, "onEvent">> = {}) {
  const orders = await openFunction(await writeFunction(source), overrides);
  const targets = await openTargets({ port: 0, processes: () => orders.slot.live });
  const list = async (): Promise<Group[]> => JSON.parse((await send(targets.url)).body);
  return {
    ...orders,
    targetsUrl: targets.url,
    list,
    revisions: async () => (await list()).map(({ labels }) => labels.revision),
    async [Symbol.asyncDispose]() {
      await targets.close();
      await orders[Symbol.asyncDispose]();
    },
  };
}

/** A request whose reply has begun and goes on until it is ended. */
async function beginReply(url: string) {
  const request = http.request(`${url}/echo`, { method: "POST", agent: false });
  request.write("begun");
  const reply = await new Promise<http.IncomingMessage>((resolve) => request.once("response", resolve));
  return {
    async end() {
      request.end();
      await Array.fromAsync(reply);
    },
  };
}

test("a process is listed at its own port from the moment it is awake, and no longer when it sleeps", async () => {
  await using orders = await open();
  assert.deepEqual(await orders.list(), []);
  const { port } = JSON.parse((await send(orders.url)).body);
  assert.deepEqual(await orders.list(), [
    { targets: [`127.0.0.1:${port}`], labels: { function: "orders", revision: "orders-00001" } },
  ]);
  await orders.slot.stop();
  assert.deepEqual(await orders.list(), []);
});

test("asking for the list wakes nobody", async () => {
  let wakes = 0;
  const env = () => {
    wakes++; // it is read at each wake
    return process.env;
  };
  await using orders = await open(wellBehaved, { env });
  await orders.list();
  await orders.list();
  assert.equal(wakes, 0);
});

test("a listed process is read without a proxy between, and neither list nor scrape keeps it awake", async () => {
  await using orders = await open(wellBehaved, { windowMs: 300 });
  await send(orders.url);
  const [group] = await orders.list();
  const agent = new http.Agent({ keepAlive: true });
  let scrapes = 0;
  await until("it sleeps though it is listed and scraped", async () => {
    await orders.list();
    const { body } = await send(`http://${group?.targets[0]}/metrics`, { agent }).catch(() => ({ body: "" }));
    if (body === "no proxy") scrapes++;
    return orders.count("asleep") === 1;
  });
  agent.destroy();
  assert.ok(scrapes > 1);
  assert.equal(orders.asleep()?.requests, 1);
  assert.equal(orders.count("awake"), 1);
});

test("a process that drains stays on the list beside the fresh one, and can be read until it is gone", async () => {
  await using orders = await open();
  await send(orders.url);
  const reply = await beginReply(orders.url);
  orders.slot.renew();
  assert.deepEqual(await orders.revisions(), ["orders-00001"]);
  await send(orders.url);
  assert.deepEqual(await orders.revisions(), ["orders-00001", "orders-00002"]);
  const [old] = await orders.list();
  assert.equal((await send(`http://${old?.targets[0]}/metrics`)).body, "no proxy");
  await reply.end();
  await until("the old one is gone", () => orders.count("asleep") === 1);
  assert.deepEqual(await orders.revisions(), ["orders-00002"]);
});

test("a process that was never ready is not listed: neither while it wakes nor while it is ended", async () => {
  const stubborn = `process.on("SIGTERM", () => console.log("asked to end")); setInterval(() => console.log("here"), 5);`;
  await using orders = await open(stubborn, { killTimeoutMs: 500 });
  const waiting = send(orders.url);
  await until("it wakes", () => orders.lines().includes("here"));
  assert.deepEqual(await orders.list(), []);
  const stopped = orders.slot.stop();
  await until("it is to end", () => orders.lines().includes("asked to end"));
  assert.deepEqual(await orders.list(), []);
  await stopped;
  assert.equal((await waiting).status, 503);
});

test("a process that dies on its own is listed until its death is seen", async () => {
  await using orders = await open();
  await send(`${orders.url}/die`);
  await until("its death is seen", () => orders.count("died") === 1);
  assert.deepEqual(await orders.list(), []);
});

test("over 20 wakes no list names a process whose exit has been seen", async () => {
  await using orders = await open(wellBehaved, { windowMs: 20 });
  const gone = new Set<string>();
  let lists = 0;
  let seen = 0;
  let over = false;
  const watch = async () => {
    while (!over) {
      const goneBefore = new Set(gone);
      const revisions = await orders.revisions();
      for (const revision of revisions) assert.ok(!goneBefore.has(`${revision}`), `${revision} is gone`);
      lists++;
      seen += revisions.length;
    }
  };
  const wake = async () => {
    for (let round = 1; round <= 20; round++) {
      const { revision } = JSON.parse((await send(orders.url)).body);
      await until("it sleeps", () => orders.count("asleep") === round);
      gone.add(revision);
      assert.deepEqual(await orders.list(), []);
      orders.slot.renew(); // so that each life has a revision of its own
    }
    over = true;
  };
  await Promise.all([watch(), wake()]);
  assert.equal(gone.size, 20);
  assert.ok(seen >= 20, `${seen} processes in ${lists} lists`);
});

test("a target's labels are none that the metrics have, so that Prometheus renames none of theirs", async () => {
  await using orders = await open();
  await send(orders.url);
  const theirs = new Set(["service", ...Object.values(metrics).flatMap(({ labels }): readonly string[] => labels)]);
  const ours = (await orders.list()).flatMap(({ labels }) => Object.keys(labels));
  assert.ok(ours.length > 0);
  assert.deepEqual(
    ours.filter((label) => theirs.has(label)),
    [],
  );
});

test("the list is JSON, whatever the query; other paths are 404 and other methods 405", async () => {
  await using orders = await open();
  const { origin } = new URL(orders.targetsUrl);
  const { status, headers, body } = await send(`${orders.targetsUrl}?any=1`);
  assert.deepEqual([status, headers["content-type"], body], [200, "application/json", "[]"]);
  assert.deepEqual((await send(orders.targetsUrl, { method: "HEAD" })).body, "");
  for (const path of ["/", "/targets/", "/metrics"]) {
    const reply = await send(`${origin}${path}`);
    assert.deepEqual([reply.status, reply.headers["content-type"]], [404, "application/problem+json"], path);
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const reply = await send(orders.targetsUrl, { method });
    assert.deepEqual([reply.status, reply.headers.allow], [405, "GET, HEAD"], method);
  }
});

test("close waits for nobody: neither for the connection that Prometheus keeps, nor for half a request", async () => {
  const targets = await openTargets({ port: 0, processes: () => [] });
  const half = net.connect(Number(new URL(targets.url).port), "127.0.0.1").on("error", () => {});
  await once(half, "connect");
  half.write("GET /targets HTTP/1.1\r\n");
  const agent = new http.Agent({ keepAlive: true });
  await send(targets.url, { agent });
  const startedMs = performance.now();
  await targets.close();
  assert.ok(performance.now() - startedMs < 5_000);
  await assert.rejects(send(targets.url), { code: "ECONNREFUSED" });
  agent.destroy();
  half.destroy();
});
