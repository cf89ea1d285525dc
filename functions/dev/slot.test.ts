import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { alive, openFunction, send, until, wellBehaved, writeFunction } from "./testing.ts";

const post = (url: string) => send(url, { method: "POST", body: "{}" });
const pidOf = (reply: { body: string }): number => JSON.parse(reply.body).pid;

test("50 requests at once to a sleeping function: one boot, 50 answers", async () => {
  await using orders = await openFunction(await writeFunction());
  const replies = await Promise.all(Array.from({ length: 50 }, () => post(orders.url)));
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
  assert.equal(new Set(replies.map(pidOf)).size, 1);
  assert.equal(orders.count("awake"), 1);
});

test("a function finds in its environment what Knative gives", async () => {
  await using orders = await openFunction(await writeFunction());
  const env = JSON.parse((await send(`${orders.url}/env`)).body);
  assert.match(env.PORT, /^\d+$/);
  assert.equal(env.K_SERVICE, "orders");
  assert.equal(env.K_CONFIGURATION, "orders");
  assert.equal(env.K_REVISION, "orders-00001");
});

test("a crash at boot: all who wait share one attempt's 503, and once it is mended the next request is answered", async () => {
  const file = await writeFunction(`console.log("no such table"); process.exit(7);`);
  await using orders = await openFunction(file);
  const replies = await Promise.all(Array.from({ length: 20 }, () => post(orders.url)));
  for (const { status, headers, body } of replies) {
    assert.equal(status, 503);
    assert.equal(headers["content-type"], "application/problem+json");
    assert.equal(headers["retry-after"], "1");
    assert.equal(JSON.parse(body).detail, 'Cannot wake "orders": exit code 7 before it was ready');
  }
  assert.equal(orders.count("failed"), 1);
  await until("its own log shows why", () => orders.lines().includes("no such table"));

  await writeFile(file, wellBehaved);
  assert.equal((await post(orders.url)).status, 200);
});

test("a function that never gets ready is given up and killed", async () => {
  const file = await writeFunction(`console.log(process.pid); setInterval(() => {}, 1000);`);
  await using orders = await openFunction(file, { bootTimeoutMs: 500 });
  const { status, body } = await post(orders.url);
  assert.equal(status, 503);
  assert.equal(JSON.parse(body).detail, 'Cannot wake "orders": not ready within 500 ms');
  await until("it is gone", () => !alive(Number(orders.lines()[0])));
});

test("a function sleeps a window after the end of its last reply, not during a long one", async () => {
  const windowMs = 400;
  await using orders = await openFunction(await writeFunction(), { windowMs });
  const pid = pidOf(await post(orders.url));

  const stream = http.request(`${orders.url}/echo`, { method: "POST", agent: false });
  const startedMs = performance.now();
  stream.write("first");
  const reply = await new Promise<http.IncomingMessage>((resolve) => stream.once("response", resolve));
  for await (const _chunk of reply) {
    if (performance.now() - startedMs < 2 * windowMs) stream.write("next");
    else stream.end();
  }
  const endedMs = performance.now();
  assert.equal(orders.count("asleep"), 0);
  assert.equal(pidOf(await post(orders.url)), pid);

  await until("it sleeps", () => orders.count("asleep") === 1);
  assert.ok(performance.now() - endedMs >= windowMs);
  assert.ok(!alive(pid));
  assert.deepEqual(orders.asleep()?.exit, { code: 0, signal: null });
  assert.equal(orders.asleep()?.requests, 3);
});

test("20 times awake and asleep: no failed request, no process left", async () => {
  await using orders = await openFunction(await writeFunction(), { windowMs: 1 });
  const pids: number[] = [];
  for (let cycle = 1; cycle <= 20; cycle++) {
    const reply = await post(orders.url);
    assert.equal(reply.status, 200);
    pids.push(pidOf(reply));
    await until("it sleeps", () => orders.count("asleep") === cycle);
  }
  assert.equal(new Set(pids).size, 20);
  assert.deepEqual(pids.filter(alive), []);
});

test("requests that race with the moment of sleep are answered", async () => {
  await using orders = await openFunction(await writeFunction(), { windowMs: 1 });
  for (let turns = 0; orders.count("asleep") < 20; turns = (turns + 97) % 1_000) {
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    assert.equal((await post(orders.url)).status, 200);
  }
});

test("a source change under load fails no request", async () => {
  await using orders = await openFunction(await writeFunction());
  const agent = new http.Agent({ keepAlive: true });
  const revisions = new Set<string>();
  let sent = 0;
  const worker = async () => {
    while (sent < 500) {
      if (++sent % 50 === 0) orders.slot.renew();
      const reply = await send(orders.url, { method: "POST", body: "{}", agent });
      assert.equal(reply.status, 200);
      revisions.add(JSON.parse(reply.body).revision);
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  agent.destroy();
  assert.ok(revisions.size >= 5, `${revisions.size} revisions answered`);
  await until("the old ones are gone", () => orders.count("asleep") === orders.count("awake") - 1);
  assert.equal(orders.count("died"), 0);
});

test("after a source change the old process finishes what it has while a fresh one answers", async () => {
  await using orders = await openFunction(await writeFunction());
  const old = pidOf(await post(orders.url));
  const stream = http.request(`${orders.url}/echo`, { method: "POST", agent: false });
  stream.write("a");
  const reply = await new Promise<http.IncomingMessage>((resolve) => stream.once("response", resolve));
  orders.slot.renew();
  const fresh = JSON.parse((await post(orders.url)).body);
  assert.notEqual(fresh.pid, old);
  assert.equal(fresh.revision, "orders-00002");
  assert.ok(alive(old));

  stream.end("b");
  assert.equal(Buffer.concat(await Array.fromAsync(reply)).toString(), "ab");
  await until("the old one is gone", () => orders.count("asleep") === 1);
  assert.deepEqual(orders.asleep()?.exit, { code: 0, signal: null });
});

test("a source change during the boot: who waited is answered by the fresh process", async () => {
  const file = await writeFunction(`console.log("broken"); setInterval(() => {}, 1000);`);
  await using orders = await openFunction(file);
  const waiting = post(orders.url);
  await until("it boots", () => orders.lines().includes("broken"));
  await writeFile(file, wellBehaved);
  orders.slot.renew();
  const { status, body } = await waiting;
  assert.equal(status, 200);
  assert.equal(JSON.parse(body).revision, "orders-00002");
});

test("a process that dies on its own: 502 for what it had, and the next request wakes a fresh one", async () => {
  await using orders = await openFunction(await writeFunction());
  await post(orders.url);
  const { status, headers, body } = await post(`${orders.url}/die`);
  assert.equal(status, 502);
  assert.equal(headers["content-type"], "application/problem+json");
  assert.equal(JSON.parse(body).code, "bad_gateway");
  await until("its death is seen", () => orders.count("died") === 1);
  assert.equal((await post(orders.url)).status, 200);
});

test("a process that ignores SIGTERM is killed", async () => {
  const file = await writeFunction(`${wellBehaved.split("process.on(")[0]} process.on("SIGTERM", () => {});`);
  await using orders = await openFunction(file, { killTimeoutMs: 200 });
  const pid = pidOf(await post(orders.url));
  await orders.slot.stop();
  assert.ok(!alive(pid));
  assert.equal(orders.asleep()?.killed, true);
});

test("stop waits until every process is gone, a booting one too", async () => {
  const file = await writeFunction(`console.log(process.pid); setInterval(() => {}, 1000);`);
  await using orders = await openFunction(file);
  const waiting = post(orders.url);
  await until("it boots", () => orders.lines().length === 1);
  await orders.slot.stop();
  assert.ok(!alive(Number(orders.lines()[0])));
  assert.equal((await waiting).status, 503);
});
