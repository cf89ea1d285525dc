import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { openFunction, send, until, writeFunction } from "./testing.ts";

let orders: Awaited<ReturnType<typeof openFunction>>;

before(async () => {
  orders = await openFunction(await writeFunction());
});

after(() => orders[Symbol.asyncDispose]());

/** The bytes that come back for these bytes, up to the first that fit `end`. */
async function exchange(text: string, end: RegExp): Promise<string> {
  let received = "";
  const socket = net.connect(orders.proxy.port, "127.0.0.1", () => socket.write(text, "latin1"));
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  await until(`the answer has ${end}`, () => end.test(received));
  socket.destroy();
  return received;
}

const request = (start: string, ...fields: string[]) =>
  [`${start} HTTP/1.1`, "Host: shop.test", ...fields, "", ""].join("\r\n");

test("a scrape does not wake a function", async () => {
  const { status, body } = await send(`${orders.url}/metrics`);
  assert.equal(status, 503);
  assert.equal(JSON.parse(body).detail, 'Cannot read the metrics of "orders": asleep');
  assert.equal(orders.count("awake"), 0);
});

test("a scrape reads a function that is awake, as if no proxy were between, and does not keep it awake", async () => {
  await using brief = await openFunction(await writeFunction(), { windowMs: 100 });
  await send(brief.url);
  let scrapes = 0;
  await until("it sleeps though it is scraped", async () => {
    const { body } = await send(`${brief.url}/metrics?x=1`);
    if (body === "no proxy") scrapes++;
    return brief.count("asleep") === 1;
  });
  assert.ok(scrapes > 1);
  assert.equal(brief.asleep()?.requests, 1);
  assert.equal(brief.count("awake"), 1);
});

test("bodies stream both ways, chunk by chunk", async () => {
  const stream = http.request(`${orders.url}/echo`, { method: "POST", agent: false });
  stream.write("1");
  const reply = await new Promise<http.IncomingMessage>((resolve) => stream.once("response", resolve));
  let received = "";
  for await (const chunk of reply) {
    received += chunk;
    if (received.length < 5) stream.write(`${received.length + 1}`);
    else stream.end();
  }
  assert.equal(received, "12345");
});

test("a body of 20 MB comes through unchanged", async () => {
  const body = Buffer.alloc(20 * 1024 * 1024, "0123456789abcdef");
  const reply = await send(`${orders.url}/echo`, { method: "POST", body });
  assert.equal(Buffer.from(reply.body, "latin1").equals(body), true);
});

test("a refusal arrives although its body was never read", async () => {
  const reply = await send(`${orders.url}/413`, { method: "POST", body: Buffer.alloc(5 * 1024 * 1024) });
  assert.equal(reply.status, 413);
});

test("path, fields and Host arrive as they were sent", async () => {
  const reply = await exchange(request("GET /mirror//a/../%2e?q=%20", "X-Twice: 1", "X-Twice: 2"), /\}$/);
  const { url, rawHeaders } = JSON.parse(reply.slice(reply.indexOf("{")));
  assert.equal(url, "/mirror//a/../%2e?q=%20");
  assert.deepEqual(rawHeaders.slice(0, 6), ["Host", "shop.test", "X-Twice", "1", "X-Twice", "2"]);
});

test("the function learns who asked, through how many proxies, and nothing of the connection", async () => {
  const fields = [
    "X-Forwarded-For: 203.0.113.7",
    "X-Forwarded-Proto: https",
    "Connection: X-Mine",
    "X-Mine: 1",
    "TE: trailers",
  ];
  const reply = await exchange(request("GET /mirror", ...fields), /\}$/);
  const { rawHeaders } = JSON.parse(reply.slice(reply.indexOf("{")));
  const connection = ["Connection", "keep-alive"];
  const expected = ["Host", "shop.test", "X-Forwarded-For", "203.0.113.7, 127.0.0.1", "X-Forwarded-Proto", "https"];
  assert.deepEqual(rawHeaders, [...expected, ...connection]);
});

test("status and fields come back as they were sent: repeated, redirected, compressed, without a body", async () => {
  const { headers } = await send(`${orders.url}/echo`, { method: "POST", body: "x" });
  assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"]);
  assert.equal((await send(`${orders.url}/302`)).headers.location, "/elsewhere");
  assert.equal(gunzipSync(Buffer.from((await send(`${orders.url}/gzip`)).body, "latin1")).toString(), "zipped");
  for (const status of [204, 304]) {
    const reply = await exchange(request(`GET /${status}`), /\r\n\r\n/);
    assert.match(reply, new RegExp(`^HTTP/1.1 ${status} `));
    assert.doesNotMatch(reply, /transfer-encoding|content-length/i);
    assert.match(reply, /\r\n\r\n$/);
  }
});

test("HEAD has the fields of GET and no body", async () => {
  const head = await send(`${orders.url}/mirror`, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
});

test("other methods pass: PUT, PATCH, DELETE, OPTIONS, PROPFIND, and a GET with a body", async () => {
  for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
    assert.equal(JSON.parse((await send(`${orders.url}/mirror`, { method })).body).method, method);
  }
  assert.equal(
    (await send(`${orders.url}/echo`, { method: "GET", body: "x", headers: { "Content-Length": "1" } })).body,
    "x",
  );
});

test("a client that leaves is noticed by the function, and its request no longer counts", async () => {
  await using brief = await openFunction(await writeFunction(), { windowMs: 1 });
  const leaving = http.get(`${brief.url}/hang`, { agent: false }).on("error", () => {});
  await until("the function has the request", () => brief.lines().includes("hanging"));
  leaving.destroy();
  await until("it notices", () => brief.lines().includes("caller gone"));
  await until("it sleeps", () => brief.count("asleep") === 1);
});

test("a client that leaves while the function wakes does not keep it awake", async () => {
  await using brief = await openFunction(await writeFunction(), { windowMs: 1 });
  const leaving = http.get(brief.url, { agent: false }).on("error", () => {});
  await new Promise((resolve) => leaving.once("socket", (socket) => socket.once("connect", resolve)));
  leaving.destroy();
  await send(brief.url);
  await until("it sleeps", () => brief.count("asleep") === 1);
});

test("a reply that breaks off breaks off for the client too, never ending as if it were whole", async () => {
  await using frail = await openFunction(await writeFunction());
  await assert.rejects(send(`${frail.url}/die-late`));
});

test("a problem of ours bears the caller's trace id", async () => {
  await using frail = await openFunction(await writeFunction());
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const { status, body } = await send(`${frail.url}/die`, {
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  });
  assert.equal(status, 502);
  assert.deepEqual(JSON.parse(body), {
    type: "/docs/problems#bad_gateway",
    title: "Bad gateway",
    status: 502,
    detail: 'Cannot pass on the request to "orders": connection lost',
    code: "bad_gateway",
    traceId,
  });
});

test("1,000 requests wait at once without waiting for each other", async () => {
  await using busy = await openFunction(await writeFunction());
  const waiting = Array.from({ length: 1_000 }, () =>
    http.get(`${busy.url}/hang`, { agent: false }).on("error", () => {}),
  );
  await until("the function has them all", () => busy.lines().length === 1_000);
  assert.equal((await send(busy.url)).status, 200);
  for (const one of waiting) one.destroy();
});

test("close refuses the next caller and waits for the reply under way", async () => {
  await using closing = await openFunction(await writeFunction());
  const stream = http.request(`${closing.url}/echo`, { method: "POST", agent: new http.Agent({ keepAlive: true }) });
  stream.write("a");
  const reply = await new Promise<http.IncomingMessage>((resolve) => stream.once("response", resolve));
  const closed = closing.proxy.close(8_000);
  await assert.rejects(send(closing.url), { code: "ECONNREFUSED" });
  stream.end("b");
  assert.equal(Buffer.concat(await Array.fromAsync(reply)).toString(), "ab");
  const endedMs = performance.now();
  await closed;
  assert.ok(performance.now() - endedMs < 5_000, "an idle connection does not hold it up");
});
