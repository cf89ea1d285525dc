import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { createPeer } from "./client.ts";
import { PeerProblem, Problem } from "./problem.ts";
import { aborted, freePort, listen, testCall, testTelemetry } from "./testing.ts";

type Fetch = (request: Request) => Promise<Response>;

const Stock = v.strictObject({ item1: v.number() });
const Accepted = v.strictObject({ accepted: v.literal(true) });
const answers = { 200: Stock, 202: Accepted };
const baseUrl = "http://inventory";
const busy = { type: "/t", title: "T", status: 503, detail: "away", code: "unavailable", traceId: "theirs", more: 1 };

/** The peer, at a URL or behind a `fetch` of our own. */
const open = (at: string | Fetch, { metrics } = testTelemetry()) =>
  createPeer({ name: "inventory", metrics, ...(typeof at === "string" ? { baseUrl: at } : { baseUrl, fetch: at }) });

const get = { method: "GET", path: "/inventory", answers } as const;

const ask = (
  fetch: Fetch,
  { call = testCall(), ...request }: { call?: ReturnType<typeof testCall>; attemptsMax?: number } = {},
) => open(fetch).request({ ...get, ...request }, call);

/** A peer that gives these answers one after the other, the last one for ever, and counts. */
function peerOf(...replies: (() => Response | Promise<Response>)[]) {
  const asked: Request[] = [];
  const fetch: Fetch = async (request) => {
    const reply = replies[Math.min(asked.length, replies.length - 1)];
    asked.push(request);
    return (reply as () => Response | Promise<Response>)();
  };
  return { fetch, asked };
}

const stock = () => Response.json({ item1: 100 });
const text =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  () =>
    new Response(body, { status, headers: { "Content-Type": "text/plain", ...headers } });
const problem =
  (body: object, status: number, headers: Record<string, string> = {}) =>
  () =>
    new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/problem+json", ...headers } });
const lost = () => Promise.reject(new TypeError("connection refused"));

/** A peer that never answers, and ends when it is told to, as fetch does. */
const silent: Fetch = async ({ signal }) => {
  await aborted(signal);
  throw signal.reason;
};

async function rejection(work: Promise<unknown>): Promise<Problem | PeerProblem> {
  const error = await work.then(
    (answer) => assert.fail(`answered ${JSON.stringify(answer)}`),
    (error) => error,
  );
  assert.ok(error instanceof Problem || error instanceof PeerProblem, `${error}`);
  return error;
}

const codeOf = async (work: Promise<unknown>) => {
  const error = await rejection(work);
  assert.ok(error instanceof Problem, `${error}`);
  return error.code;
};

describe("a request to a peer", () => {
  it("carries trace, request id, what it was given, and the deadline less what the caller keeps for its own answer", async () => {
    const telemetry = testTelemetry();
    const call = testCall({ telemetry });
    const { fetch, asked } = peerOf(stock);
    await open(fetch).request(
      {
        method: "PUT",
        path: "/reservations/ORDER-1?a=b",
        headers: { "Visitor-Subject": "abc", traceparent: "forged", "Request-Deadline": "forged" },
        body: { lines: [{ item: "item1", quantity: 2 }] },
        answers,
      },
      call,
    );
    const [request] = asked;
    assert.equal(request?.method, "PUT");
    assert.equal(request.url, "http://inventory/reservations/ORDER-1?a=b");
    await telemetry.close();
    const { traceId, spanId } = telemetry.spans[0]?.spanContext() ?? {};
    assert.equal(traceId, call.trace.traceId);
    assert.equal(telemetry.spans[0]?.parentSpanContext?.spanId, call.trace.spanId);
    assert.equal(request.headers.get("traceparent"), `00-${traceId}-${spanId}-01`);
    assert.equal(request.headers.get("X-Request-Id"), call.requestId);
    assert.equal(request.headers.get("Request-Deadline"), String(call.deadlineMs - 500));
    assert.equal(request.headers.get("Visitor-Subject"), "abc");
    assert.equal(request.headers.get("Content-Type"), "application/json");
    assert.deepEqual(await request.json(), { lines: [{ item: "item1", quantity: 2 }] });
  });

  it("has neither body nor media type when there is nothing to send", async () => {
    const { fetch, asked } = peerOf(stock);
    await ask(fetch);
    assert.equal(asked[0]?.body, null);
    assert.equal(asked[0].headers.get("Content-Type"), null);
  });
});

describe("an answer of a peer", () => {
  it("that fits the contract is parsed, and told apart by its status", async () => {
    const first = await ask(peerOf(stock).fetch);
    assert.deepEqual([first.status, first.body], [200, { item1: 100 }]);
    const second = await ask(
      peerOf(() => Response.json({ accepted: true }, { status: 202, headers: { Location: "x" } })).fetch,
    );
    assert.deepEqual([second.status, second.body, second.headers.get("Location")], [202, { accepted: true }, "x"]);
  });

  const misfits = {
    "with a wrong type in it": () => Response.json({ item1: "planted" }),
    "with a field too many": () => Response.json({ item1: 1, planted: 1 }),
    "without a field": () => Response.json({}),
    "that is empty": () => new Response(null, { status: 200 }),
    "that is text": text(200, "planted"),
    "that is cut off": () => new Response('{"item1":'),
    "of another status": () => Response.json({ item1: 100 }, { status: 201 }),
    "of 204": () => new Response(null, { status: 204 }),
    "of a proxy's 404": text(404, "no such route"),
    "of a proxy's 500": text(500, "planted"),
    "of a proxy's 502": text(502, "planted"),
    "with a problem that is none": problem({ title: "planted" }, 409),
    "with a problem of another status": problem(busy, 409),
    "with a problem cut off": () =>
      new Response("{", { status: 409, headers: { "Content-Type": "application/problem+json" } }),
    "with JSON that is no problem": () =>
      Response.json(busy, { status: 503, headers: { "Content-Type": "application/json" } }),
  };
  for (const [what, reply] of Object.entries(misfits)) {
    const code = what === "with JSON that is no problem" ? "unavailable" : "bad_gateway";
    it(`${what} becomes ${code}, which tells nothing of it`, async () => {
      const error = await rejection(ask(peerOf(reply).fetch));
      assert.ok(error instanceof Problem);
      assert.equal(error.code, code);
      assert.match(error.message, /^inventory /);
      assert.doesNotMatch(error.message, /planted/);
    });
  }

  it("that is a problem is passed on unchanged, with Retry-After", async () => {
    const error = await rejection(ask(peerOf(problem(busy, 503, { "Retry-After": "7", "X-Other": "x" })).fetch));
    assert.ok(error instanceof PeerProblem);
    assert.equal(error.status, 503);
    assert.deepEqual(error.body(), busy);
    assert.deepEqual(error.headers, { "Retry-After": "7" });
  });

  it("that is a problem carries the headers that its caller wants, and no others", async () => {
    const { fetch } = peerOf(problem(busy, 503, { "Idempotent-Replayed": "true", Server: "x" }));
    const request = { method: "GET", path: "/", answers, problemHeaders: ["Idempotent-Replayed", "Location"] } as const;
    const error = await rejection(open(fetch).request(request, testCall()));
    assert.deepEqual(error.headers, { "Idempotent-Replayed": "true" });
  });

  it("of a proxy that is full is unavailable, with its Retry-After or one of ours", async () => {
    const error = await rejection(ask(peerOf(text(503, "pending request queue full")).fetch));
    assert.ok(error instanceof Problem);
    assert.equal(error.code, "unavailable");
    assert.deepEqual(error.headers, { "Retry-After": "1" });
    const later = await rejection(ask(peerOf(text(503, "", { "Retry-After": "9" })).fetch));
    assert.deepEqual(later.headers, { "Retry-After": "9" });
  });

  it("of a proxy that has too many requests is 429, and of one that waited in vain 504", async () => {
    const error = await rejection(ask(peerOf(text(429, "slow down")).fetch));
    assert.equal(error.status, 429);
    assert.deepEqual(error.headers, { "Retry-After": "1" });
    assert.equal(await codeOf(ask(peerOf(text(504, "upstream request timeout")).fetch)), "deadline_exceeded");
  });

  it("that has no end is refused at 1 MiB", async () => {
    let chunks = 0;
    let cancelled = false;
    const endless = new ReadableStream({
      pull(controller) {
        chunks++;
        controller.enqueue(new Uint8Array(65_536));
      },
      cancel() {
        cancelled = true;
      },
    });
    assert.equal(await codeOf(ask(peerOf(() => new Response(endless)).fetch)), "bad_gateway");
    assert.ok(chunks <= 20, `${chunks} chunks`);
    assert.ok(cancelled);
  });

  it("that sends elsewhere is not followed", async () => {
    const paths: string[] = [];
    await using server = await listen(({ url = "" }, reply) => {
      paths.push(url);
      reply.writeHead(302, { Location: "/elsewhere" }).end();
    });
    const peer = open(server.url);
    assert.equal(await codeOf(peer.request(get, testCall())), "bad_gateway");
    assert.deepEqual(paths, ["/inventory"]);
  });
});

describe("silence of a peer", () => {
  it("that cannot be reached is bad_gateway, and its cause is kept for the log", async () => {
    const peer = open(`http://127.0.0.1:${await freePort()}`);
    const error = await rejection(peer.request(get, testCall()));
    assert.ok(error instanceof Problem);
    assert.equal(error.code, "bad_gateway");
    assert.equal(error.message, "inventory cannot be reached");
    assert.ok(error.cause instanceof Error);
  });

  it("that cuts the answer off is bad_gateway", async () => {
    await using server = await listen((_, reply) => {
      reply.writeHead(200, { "Content-Length": "100" });
      reply.write("{", () => reply.destroy());
    });
    const peer = open(server.url);
    assert.equal(await codeOf(peer.request(get, testCall())), "bad_gateway");
  });

  it("at the deadline is deadline_exceeded, half a second before it, and the peer sees the request end", async () => {
    const ended = Promise.withResolvers<void>();
    await using server = await listen((_, reply) => void reply.on("close", ended.resolve));
    const peer = open(server.url);
    const call = testCall({ timeoutMs: 700 });
    assert.equal(await codeOf(peer.request(get, call)), "deadline_exceeded");
    assert.ok(Date.now() >= call.deadlineMs - 510 && Date.now() < call.deadlineMs);
    await ended.promise;
  });

  it("in the middle of an answer, too", async () => {
    await using server = await listen((_, reply) => void reply.write("{"));
    const peer = open(server.url);
    const call = testCall({ timeoutMs: 700 });
    assert.equal(await codeOf(peer.request(get, call)), "deadline_exceeded");
    assert.ok(Date.now() < call.deadlineMs);
  });

  it("ends when the caller goes away", async () => {
    const caller = new AbortController();
    const work = ask(silent, { call: { ...testCall(), signal: caller.signal }, attemptsMax: 3 });
    caller.abort();
    assert.equal(await codeOf(work), "client_closed");
  });

  it("ends at once when there is no time left", async () => {
    const call = testCall({ timeoutMs: 0 });
    assert.equal(await codeOf(ask(silent, { call, attemptsMax: 3 })), "deadline_exceeded");
  });
});

describe("a retry", () => {
  const passing = {
    "a lost connection": lost,
    "a proxy's 404": text(404, "no route yet"),
    "a proxy's 502": text(502, ""),
    "a proxy's 503": text(503, "", { "Retry-After": "0" }),
    "a proxy's 504": text(504, ""),
    "a problem 503": problem(busy, 503, { "Retry-After": "0" }),
    "a 429 that says when": text(429, "", { "Retry-After": "0" }),
  };
  for (const [what, reply] of Object.entries(passing)) {
    it(`follows ${what}, until there is an answer`, async () => {
      const { fetch, asked } = peerOf(reply, reply, stock);
      assert.equal((await ask(fetch, { attemptsMax: 3 })).status, 200);
      assert.equal(asked.length, 3);
    });
  }

  it("comes never more often than it may, and the last failure is what the caller sees", async () => {
    const { fetch, asked } = peerOf(lost, lost, problem(busy, 503, { "Retry-After": "0" }), stock);
    const error = await rejection(ask(fetch, { attemptsMax: 3 }));
    assert.ok(error instanceof PeerProblem);
    assert.equal(asked.length, 3);
  });

  it("comes only where it was asked for", async () => {
    const { fetch, asked } = peerOf(lost, stock);
    assert.equal(await codeOf(ask(fetch)), "bad_gateway");
    assert.equal(asked.length, 1);
  });

  const final = {
    "a refusal": problem({ ...busy, status: 409, code: "out_of_stock" }, 409),
    "an invalid request": problem({ ...busy, status: 400, code: "invalid" }, 400),
    "a fault of the peer": problem({ ...busy, status: 500, code: "internal" }, 500),
    "a 429 problem that does not say when": problem({ ...busy, status: 429, code: "too_many_requests" }, 429),
  };
  for (const [what, reply] of Object.entries(final)) {
    it(`does not follow ${what}`, async () => {
      const { fetch, asked } = peerOf(reply, stock);
      await rejection(ask(fetch, { attemptsMax: 3 }));
      assert.equal(asked.length, 1);
    });
  }

  it("waits as long as the peer says", async () => {
    const startMs = performance.now();
    const { fetch } = peerOf(text(503, "", { "Retry-After": "1" }), stock);
    await ask(fetch, { attemptsMax: 2 });
    assert.ok(performance.now() - startMs >= 1_000);
  });

  it("does not wait for an attempt that would come after the deadline", async () => {
    const { fetch, asked } = peerOf(problem(busy, 503, { "Retry-After": "60" }), stock);
    const startMs = performance.now();
    assert.equal((await rejection(ask(fetch, { attemptsMax: 3 }))).status, 503);
    assert.ok(performance.now() - startMs < 1_000);
    assert.equal(asked.length, 1);
  });

  it("never goes on beyond the deadline", async () => {
    const call = testCall({ timeoutMs: 1_000 });
    const { fetch, asked } = peerOf(lost);
    await rejection(ask(fetch, { call, attemptsMax: 1_000 }));
    assert.ok(Date.now() < call.deadlineMs);
    assert.ok(asked.length > 1);
  });
});
