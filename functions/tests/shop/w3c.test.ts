import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { openSink } from "../otlp-sink.ts";
import { openRaw } from "../raw.ts";
import { type Shop, startShop } from "../shop.ts";
import { advancedTest, type Case, type Exchange, traceContext2Test, traceContextTest } from "./w3c-cases.ts";

type Headers = (readonly [name: string, value: string])[];
type Callback = { path: string; headers: Headers };

const answerMaxMs = 10_000;

/** The harness's end of the suite: a peer that remembers what it is asked, and refuses the first `refusals` times. */
async function openPeer() {
  const callbacks: Callback[] = [];
  const peer = { callbacks, refusals: 0, url: "", close: () => server.close() };
  const server = createServer(async (request: IncomingMessage, reply: ServerResponse) => {
    const { url = "", rawHeaders } = request;
    const pairs = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ""] as const] : []));
    callbacks.push({ path: url, headers: pairs });
    for await (const _ of request); // to its end
    if (peer.refusals > 0) {
      peer.refusals -= 1;
      reply.writeHead(503, { "Retry-After": "0" }).end();
      return;
    }
    reply.writeHead(200, { "Content-Type": "application/json" }).end(answerTo(url));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  peer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return peer;
}
type Peer = Awaited<ReturnType<typeof openPeer>>;

function answerTo(path: string): string {
  if (path.endsWith("/products")) return JSON.stringify({ products: [] });
  return JSON.stringify({ outcome: "granted", prices: [{ item: "item1", unitPrice: 100 }], currency: "EUR" });
}

/** Sends a request whose headers arrive as they stand here, and waits for its answer. */
async function send(url: string, head: string, headers: Headers, body = ""): Promise<string> {
  const connection = await openRaw(url);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  connection.send(`${head} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n${lines}\r\n${body}`);
  return connection.finish(answerMaxMs);
}

/** Places an order, as the suite's service makes its callbacks; what arrived at the peer for it. */
async function placeOrder(url: string, peer: Peer, headers: Headers): Promise<Callback[]> {
  const body = '{"item":"item1","quantity":1}';
  const own = [
    ["Content-Type", "application/json"],
    ["Content-Length", `${body.length}`],
    ["Idempotency-Key", crypto.randomUUID()],
  ] as const;
  const answer = await send(url, "POST /orders", [...own, ...headers], body);
  assert.match(answer, /^HTTP\/1\.1 201 /);
  const orderId = /ORDER-[0-9a-f-]{36}/.exec(answer)?.[0] ?? "";
  return peer.callbacks.filter(({ path }) => path === `/reservations/${orderId}`);
}

const valuesOf = (headers: Headers, wanted: string) =>
  headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);

/** As the harness does: exactly one, of our version. */
function readTraceparent({ headers }: Callback) {
  const values = valuesOf(headers, "traceparent");
  assert.equal(values.length, 1, `${values}`);
  const [, traceId = "", parentId = "", flags = ""] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(`${values}`) ?? [];
  assert.notEqual(traceId, "", `malformed: ${values}`);
  return { traceId, parentId, flags: Number.parseInt(flags, 16) };
}

const memberPattern =
  /^([0-9a-z][_0-9a-z\-*/@]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])$/;

/** As the harness does: a malformed member is a failure, of a key that comes twice the first counts. */
function readTracestate({ headers }: Callback): Map<string, string> {
  const state = new Map<string, string>();
  for (const member of valuesOf(headers, "tracestate").flatMap((value) => value.split(/[ \t]*,[ \t]*/))) {
    if (member === "") continue;
    const [, key = "", value = ""] = memberPattern.exec(member) ?? [];
    assert.notEqual(key, "", `malformed: ${member}`);
    if (!state.has(key)) state.set(key, value);
  }
  return state;
}

function check(callback: Callback, expected: Exchange): void {
  const { traceId, parentId, flags } = readTraceparent(callback);
  const state = readTracestate(callback);
  const members = [...state].map(([key, value]) => `${key}=${value}`);
  const { notTraceIds = [], noState = [], state: wanted = {}, order = [], anyOf, flagSet = 0 } = expected;
  if (expected.traceId !== undefined) assert.equal(traceId, expected.traceId);
  for (const other of notTraceIds) assert.notEqual(traceId, other);
  assert.notEqual(parentId, expected.notParentId);
  assert.equal(flags & flagSet, flagSet);
  for (const [key, value] of Object.entries(wanted)) assert.equal(state.get(key), value, key);
  for (const key of noState) assert.ok(!state.has(key), key);
  if (expected.stateSize !== undefined) assert.equal(state.size, expected.stateSize);
  if (order.length > 0) assert.deepEqual(members, order);
  if (anyOf)
    assert.ok(
      anyOf.some((member) => members.includes(member)),
      `${members}`,
    );
}

for (const runtime of ["bun", "deno"] as const) {
  describe(`W3C Trace Context on ${runtime}`, () => {
    let shop: Shop;
    let peer: Peer;
    before(async () => {
      peer = await openPeer();
      shop = await startShop({
        runtime,
        bundled: true,
        env: {
          orders: { INVENTORY_SERVICE_URL: peer.url },
          gateway: { INVENTORY_SERVICE_URL: peer.url },
          frontend: { GATEWAY_URL: peer.url },
        },
      });
    });
    after(async () => {
      await shop.stop();
      peer.close();
    });

    async function run({ exchanges, callbacks = 1 }: Case): Promise<void> {
      for (const exchange of exchanges) {
        peer.refusals = callbacks - 1;
        const seen = await placeOrder(shop.urls.orders, peer, exchange.headers);
        assert.equal(seen.length, callbacks);
        for (const callback of seen) check(callback, exchange);
        assert.equal(new Set(seen.map((callback) => readTraceparent(callback).parentId)).size, callbacks);
      }
    }

    for (const [suite, cases] of Object.entries({ traceContextTest, advancedTest, traceContext2Test })) {
      for (const one of cases) it(`${suite}: ${one.name}`, () => run(one));
    }

    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const foreign = (flag: "00" | "01"): Headers => [
      ["traceparent", `00-${traceId}-b7ad6b7169203331-${flag}`],
      ["tracestate", "foreign=1"],
      ["baggage", "foreign=1"],
    ];
    const edges = { gateway: "/api/products", frontend: "/api/products" } as const;

    for (const [edge, path] of Object.entries(edges) as [keyof typeof edges, string][]) {
      /** Asks an edge that keeps this share of the traces, and ends it: what its peer received, and its collector. */
      async function ask(ratio: "0" | "1", flag: "00" | "01") {
        await using sink = await openSink();
        const env = {
          OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
          OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
          OTEL_TRACES_SAMPLER_ARG: ratio,
        };
        await shop.end(edge);
        await shop.start(edge, { env });
        const from = peer.callbacks.length;
        assert.match(await send(shop.urls[edge], `GET ${path}`, foreign(flag)), /^HTTP\/1\.1 200 /);
        await shop.end(edge);
        await shop.start(edge);
        const [callback, ...more] = peer.callbacks.slice(from);
        assert.ok(callback && more.length === 0);
        return { callback, spans: sink.spans, bodies: sink.bodies };
      }

      it(`at the edge (${edge}) a foreign sampled flag forces nothing: at ratio 0 no span is sent, and 00 goes on`, async () => {
        const { callback, bodies } = await ask("0", "01");
        const { traceId: received, flags } = readTraceparent(callback);
        assert.deepEqual([received, flags], [traceId, 0]);
        assert.equal(bodies.length, 0);
      });

      it(`at the edge (${edge}) a foreign flag prevents nothing: at ratio 1 the spans are sent, and 01 goes on`, async () => {
        const { callback, spans } = await ask("1", "00");
        const { traceId: received, flags } = readTraceparent(callback);
        assert.deepEqual([received, flags], [traceId, 1]);
        assert.ok(spans.some((span) => span.traceId === traceId && span.service === edge));
      });

      it(`the edge (${edge}) passes neither tracestate nor baggage on`, async () => {
        const { callback } = await ask("1", "01");
        assert.deepEqual([...valuesOf(callback.headers, "tracestate"), ...valuesOf(callback.headers, "baggage")], []);
      });
    }
  });
}
