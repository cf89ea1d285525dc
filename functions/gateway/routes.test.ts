import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { idempotencyKeyHeader, replayedHeader, subjectHeader } from "@shop/orders/contract";
import { createApp } from "@shop/platform/app";
import { deadlineHeader } from "@shop/platform/call";
import { createPeer } from "@shop/platform/client";
import { Problem, type ProblemCode, problemMediaType } from "@shop/platform/problem";
import { aborted, assertProblem, captureLog, createWitness, testTelemetry } from "@shop/platform/testing";
import * as v from "valibot";
import { visitorCookie } from "./contract.ts";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";

type Answer = (request: Request) => Response | Promise<Response>;

const { ask, assertDescribed } = createWitness();
const { log, text: logged } = captureLog("gateway");
const asked: Request[] = [];

/** The gateway before three peers that all answer alike. */
function openGateway(answer: Answer, { timeoutMs = 10_000, telemetry = testTelemetry() } = {}) {
  const fetch = async (request: Request) => {
    asked.push(request.clone() as typeof request);
    return answer(request);
  };
  const peer = (name: string) => createPeer({ name, baseUrl: `http://${name}`, metrics: telemetry.metrics, fetch });
  const service = createService({ orders: peer("orders"), inventory: peer("inventory"), users: peer("users") });
  const info = { title: "The shop", description: "The public API." };
  const app = createApp({ telemetry: { ...telemetry, log }, info, position: "edge", summary: true, timeoutMs });
  return addRoutes(app, { service });
}

/** What a call to the gateway asked its peers. */
async function askingPeers(call: () => Promise<Response>): Promise<{ reply: Response; requests: Request[] }> {
  const before = asked.length;
  return { reply: await call(), requests: asked.slice(before) };
}

const hastyMs = 700;
const orderId = "ORDER-01990000-0000-7000-8000-000000000001";
const line = { item: "item1", quantity: 2 };
const placed = {
  success: true,
  orderId,
  message: "Order placed!",
  status: "CONFIRMED",
  lines: [{ ...line, unitPrice: 100 }],
  total: 200,
  currency: "EUR",
};
const accepted = {
  success: true,
  orderId,
  message: "Order accepted, not settled yet.",
  status: "PENDING",
  lines: [line],
};
const order = { orderId, createdAt: "2026-11-24T12:00:00.000Z", status: "PENDING", lines: [line] };
const product = { item: "item1", name: "Enamel mug", price: 1450, currency: "EUR", available: 7 };

const posting = (body: unknown = line, headers: Record<string, string> = {}) => ({
  method: "POST",
  headers: { "Content-Type": "application/json", ...headers },
  body: JSON.stringify(body),
});

const answering =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  () =>
    Response.json(body, { status, headers });

const problem = (code: ProblemCode, headers: Record<string, string> = {}): Answer => {
  const { status, ...rest } = new Problem(code, "lines[0] is bad", { members: { orderId } }).body("0af7651916cd43dd");
  return answering(status, { ...rest, status }, { "Content-Type": problemMediaType, ...headers });
};

const text =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(body, { status, headers });

const hanging: Answer = async ({ signal }) => {
  await aborted(signal);
  throw signal.reason;
};

const refused: Answer = () => {
  throw new TypeError("fetch failed");
};

const reads: { path: string; peer: string; body: unknown; problems: ProblemCode[] }[] = [
  {
    path: "/api/orders",
    peer: "http://orders/orders?limit=20",
    body: { orders: [order] },
    problems: ["unauthenticated"],
  },
  { path: `/api/orders/${orderId}`, peer: `http://orders/orders/${orderId}`, body: order, problems: ["not_found"] },
  { path: "/api/inventory", peer: "http://inventory/inventory", body: { item1: 100, item2: 0 }, problems: [] },
  { path: "/api/products", peer: "http://inventory/products", body: { products: [product] }, problems: [] },
  { path: "/api/products/item1", peer: "http://inventory/products/item1", body: product, problems: ["not_found"] },
  { path: "/api/users", peer: "http://users/users", body: [{ id: 1, name: "Alice" }], problems: [] },
  { path: "/api/users/1", peer: "http://users/users/1", body: { id: 1, name: "Alice" }, problems: ["not_found"] },
];
const everything = [
  ...reads.map(({ path }) => ({ path, init: () => ({}) as RequestInit })),
  { path: "/api/orders", init: () => posting() },
];

describe("the gateway", () => {
  for (const { path, peer, body, problems } of reads) {
    it(`GET ${path} asks one peer once, and passes on its answer and its problems byte for byte`, async () => {
      const { reply, requests } = await askingPeers(() => ask(openGateway(answering(200, body)), path));
      assert.equal(reply.status, 200);
      assert.equal(await reply.text(), JSON.stringify(body));
      assert.deepEqual(
        requests.map(({ method, url }) => `${method} ${url}`),
        [`GET ${peer}`],
      );
      for (const code of problems) {
        const theirs = await (await problem(code)(new Request(peer))).text();
        const passed = await ask(openGateway(problem(code)), path);
        assert.equal(await passed.clone().text(), theirs);
        await assertProblem(passed, code);
      }
    });
  }

  it("passes on the page that was asked for", async () => {
    const { requests } = await askingPeers(() =>
      ask(openGateway(answering(200, { orders: [] })), `/api/orders?limit=5&cursor=${orderId}`),
    );
    assert.equal(requests[0]?.url, `http://orders/orders?limit=5&cursor=${orderId}`);
  });

  it("asks nobody about what cannot be", async () => {
    for (const path of ["/api/orders?limit=0", "/api/orders/ORDER-1", "/api/products/No%20Item", "/api/users/zero"]) {
      const { reply, requests } = await askingPeers(() => ask(openGateway(refused), path));
      await assertProblem(reply, "invalid");
      assert.equal(requests.length, 0);
    }
  });

  describe("when a peer does not answer as it should", () => {
    const cases: [what: string, answer: Answer, code: ProblemCode, retryAfter: string | null][] = [
      ["its own 503", problem("unavailable", { "Retry-After": "7" }), "unavailable", "7"],
      ["a proxy's 503", text(503, "no healthy upstream"), "unavailable", "1"],
      ["a proxy's 503 that says when", text(503, "", { "Retry-After": "3" }), "unavailable", "3"],
      ["a proxy's 429", text(429, "slow down"), "too_many_requests", "1"],
      ["a proxy's 504", text(504, "timeout"), "deadline_exceeded", null],
      ["a proxy's 502", text(502, "Bad Gateway"), "bad_gateway", null],
      ["a proxy's 404", text(404, "404 page not found"), "bad_gateway", null],
      ["an answer outside the contract", answering(200, "planted"), "bad_gateway", null],
      ["no connection", refused, "bad_gateway", null],
      ["no answer", hanging, "deadline_exceeded", null],
    ];
    for (const [what, answer, code, retryAfter] of cases) {
      it(`${what}: ${code} on every route, within the deadline`, async () => {
        const app = openGateway(answer, { timeoutMs: hastyMs });
        await Promise.all(
          everything.map(async ({ path, init }) => {
            const startMs = performance.now();
            const reply = await ask(app, path, init());
            assert.ok(performance.now() - startMs < hastyMs);
            assert.equal(reply.headers.get("Retry-After"), retryAfter);
            const { detail } = await assertProblem(reply, code);
            assert.ok(!detail.includes("planted"));
          }),
        );
      });
    }

    it("asks again for a GET, which changes nothing", async () => {
      let attempts = 0;
      const stumbling: Answer = () => (++attempts < 3 ? Response.error() : Response.json({ item1: 100 }));
      const reply = await ask(openGateway(stumbling), "/api/inventory");
      assert.equal(reply.status, 200);
      assert.equal(attempts, 3);
    });

    it("never asks again for a POST", async () => {
      for (const answer of [
        text(502, ""),
        text(503, ""),
        text(429, ""),
        text(504, ""),
        refused,
        problem("unavailable"),
      ]) {
        const { requests } = await askingPeers(() => ask(openGateway(answer), "/api/orders", posting()));
        assert.equal(requests.length, 1);
      }
    });
  });

  describe("placing an order", () => {
    it("passes on what orders answered, status and bytes, with Location and the replayed mark", async () => {
      for (const [status, body, headers] of [
        [201, placed, { Location: `orders/${orderId}` }],
        [201, placed, { Location: `orders/${orderId}`, [replayedHeader]: "true" }],
        [202, accepted, { Location: `orders/${orderId}` }],
      ] as const) {
        const { reply, requests } = await askingPeers(() =>
          ask(openGateway(answering(status, body, headers)), "/api/orders", posting()),
        );
        assert.equal(reply.status, status);
        assert.equal(await reply.text(), JSON.stringify(body));
        assert.equal(reply.headers.get("Location"), headers.Location);
        assert.equal(reply.headers.get(replayedHeader), new Headers(headers).get(replayedHeader));
        assert.equal(`${requests[0]?.method} ${requests[0]?.url}`, "POST http://orders/orders");
        assert.deepEqual(await requests[0]?.json(), line);
      }
    });

    it("passes on what orders refused, status and bytes, with the replayed mark", async () => {
      for (const code of ["out_of_stock", "unknown_item", "key_reused", "invalid"] as const) {
        for (const headers of [{}, { [replayedHeader]: "true" }]) {
          const answer = problem(code, headers);
          const reply = await ask(openGateway(answer), "/api/orders", posting());
          assert.equal(await reply.clone().text(), await (await answer(new Request("http://orders"))).text());
          assert.equal(reply.headers.get(replayedHeader), new Headers(headers).get(replayedHeader));
          await assertProblem(reply, code);
        }
      }
    });

    it("mints a key when there is none, another each time, and tells it whatever comes of the order", async () => {
      const keys = new Set<string>();
      for (const answer of [answering(201, placed), answering(201, placed), problem("out_of_stock"), refused]) {
        const { reply, requests } = await askingPeers(() => ask(openGateway(answer), "/api/orders", posting()));
        const key = v.parse(v.pipe(v.string(), v.uuid()), reply.headers.get(idempotencyKeyHeader));
        assert.equal(requests[0]?.headers.get(idempotencyKeyHeader), key);
        keys.add(key);
      }
      assert.equal(keys.size, 4);
    });

    it("returns the caller's own key with every reply, errors too", async () => {
      const key = crypto.randomUUID();
      const cases: [answer: Answer, body: unknown, status: number][] = [
        [answering(201, placed), line, 201],
        [answering(202, accepted), line, 202],
        [answering(201, placed), { ...line, quantity: 0 }, 400],
        [problem("out_of_stock"), line, 409],
        [problem("key_reused"), line, 422],
        [text(429, ""), line, 429],
        [refused, line, 502],
        [text(503, ""), line, 503],
        [hanging, line, 504],
      ];
      for (const [answer, body, status] of cases) {
        const app = openGateway(answer, { timeoutMs: hastyMs });
        const reply = await ask(app, "/api/orders", posting(body, { [idempotencyKeyHeader]: key }));
        assert.equal(reply.status, status);
        assert.equal(reply.headers.get(idempotencyKeyHeader), key, String(status));
      }
    });

    it("asks nobody about a malformed order or key", async () => {
      const cases: [init: RequestInit, code: ProblemCode, detail: string][] = [
        [posting({ ...line, quantity: -1 }), "invalid", "quantity should be at least 1"],
        [posting({ item: "item1" }), "invalid", "quantity is missing"],
        [posting(line, { [idempotencyKeyHeader]: "planted" }), "invalid", "idempotency-key should be a UUID"],
        [
          posting(line, { "Content-Type": "text/plain" }),
          "unsupported_media_type",
          "Content-Type should be application/json",
        ],
        [posting("x".repeat(65_536)), "payload_too_large", "body should be at most 65536 bytes"],
      ];
      for (const [init, code, detail] of cases) {
        const { reply, requests } = await askingPeers(() => ask(openGateway(refused), "/api/orders", init));
        assert.equal((await assertProblem(reply, code)).detail, detail);
        assert.equal(requests.length, 0);
      }
    });
  });

  describe("the visitor", () => {
    const visitor = "5f0c7a1e-97a1-4b5e-8f3b-0d1d7c0a9e11";
    const subject = createHash("sha256").update(visitor).digest("hex");
    const ofOrders = [
      { path: "/api/orders", init: posting(), body: placed, status: 201 },
      { path: "/api/orders", init: {}, body: { orders: [] }, status: 200 },
      { path: `/api/orders/${orderId}`, init: {}, body: order, status: 200 },
    ];

    async function askedWith(cookie: string): Promise<Request[]> {
      const requests: Request[] = [];
      for (const { path, init, body, status } of ofOrders) {
        const headers = { ...(init as { headers?: object }).headers, Cookie: cookie, [subjectHeader]: "f".repeat(64) };
        const app = openGateway(answering(status, body));
        const found = await askingPeers(() => ask(app, path, { ...init, headers }));
        assert.equal(found.reply.status, status);
        requests.push(...found.requests);
      }
      assert.equal(requests.length, ofOrders.length);
      return requests;
    }

    it("goes inward as a hash, whatever the case of the letters; the secret goes nowhere", async () => {
      for (const secret of [visitor, visitor.toUpperCase()]) {
        for (const request of await askedWith(`a=b; ${visitorCookie}=${secret}; c=d`)) {
          assert.equal(request.headers.get(subjectHeader), subject);
          assert.equal(request.headers.get("Cookie"), null);
          const everything = JSON.stringify([request.url, ...request.headers, await request.text()]);
          assert.ok(!everything.toLowerCase().includes(visitor));
        }
      }
      assert.ok(!logged().toLowerCase().includes(visitor));
    });

    it("with a malformed secret, or with a subject of his own making, counts as nobody", async () => {
      for (const cookie of [
        "",
        "other=1",
        `${visitorCookie}=`,
        `${visitorCookie}=me`,
        `${visitorCookie}=${visitor}0`,
      ]) {
        for (const request of await askedWith(cookie)) assert.equal(request.headers.get(subjectHeader), null);
      }
    });
  });

  it("keeps quantiles of the duration of every route, over the same requests as it counts", async () => {
    const telemetry = testTelemetry();
    const app = openGateway(answering(200, { item1: 100 }), { telemetry });
    for (let n = 0; n < 3; n++) await ask(app, "/api/inventory");
    const labels = { method: "GET", route: "/api/inventory" };
    for (const name of ["http_request_summary_seconds_count", "http_requests_total"]) {
      assert.equal(await telemetry.value(name, labels), 3, name);
    }
    for (const quantile of ["0.5", "0.9", "0.95", "0.99"]) {
      const seconds = (await telemetry.value("http_request_summary_seconds", { ...labels, quantile })) ?? 0;
      assert.ok(seconds > 0, quantile);
    }
  });

  it("sets the deadline itself, whatever the caller wishes", async () => {
    for (const wish of ["1", String(Date.now() + 60_000), "never"]) {
      const app = openGateway(answering(200, { item1: 100 }));
      const { requests } = await askingPeers(() => ask(app, "/api/inventory", { headers: { [deadlineHeader]: wish } }));
      const leftMs = Number(requests[0]?.headers.get(deadlineHeader)) - Date.now();
      assert.ok(leftMs > 5_000 && leftMs <= 9_500, `${leftMs} ms`);
    }
  });

  it("describes every answer that these tests have seen, and no other", () => assertDescribed(openGateway(refused)));
});
