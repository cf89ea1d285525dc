import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { visitorCookie } from "@shop/gateway/contract";
import { createApp } from "@shop/platform/app";
import { createForwarder } from "@shop/platform/forward";
import { problemMediaType } from "@shop/platform/problem";
import { assertProblem, captureLog, testTelemetry } from "@shop/platform/testing";
import * as v from "valibot";
import { assets, lazyAssets } from "./assets.ts";
import { addRoutes } from "./routes.ts";
import { contentSecurityPolicy, docsContentSecurityPolicy } from "./security.ts";

type Fetch = (request: Request) => Promise<Response>;

const { log, text: logged } = captureLog("frontend");
const visitor = "5f0c7a1e-97a1-4b5e-8f3b-0d1d7c0a9e11";

const nobody: Fetch = async () => {
  throw new TypeError("fetch failed");
};

function openFrontend(fetch: Fetch = nobody) {
  const telemetry = { ...testTelemetry({ service: "frontend" }), log };
  const forward = createForwarder({ name: "gateway", baseUrl: "http://gateway", metrics: telemetry.metrics, fetch });
  return addRoutes(createApp({ telemetry, position: "outermost" }), { forward });
}

const visit = (headers: Record<string, string> = {}) => openFrontend().request("/", { headers });

describe("the page", () => {
  it("comes without the gateway, is never stored, and allows no code but our own", async () => {
    const reply = await visit();
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get("Content-Type"), "text/html; charset=UTF-8");
    assert.equal(reply.headers.get("Cache-Control"), "no-store");
    const policy = reply.headers.get("Content-Security-Policy") ?? "";
    for (const directive of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"]) {
      assert.ok(policy.split("; ").includes(directive), directive);
    }
    assert.equal(reply.headers.get("X-Content-Type-Options"), "nosniff");
    assert.match(await reply.text(), /Create Order/);
  });

  it("makes whoever comes a visitor, by a random UUID that no script can read, for a year", async () => {
    const secrets = new Set<string>();
    for (let n = 0; n < 2; n++) {
      const [pair = "", ...attributes] = (await visit()).headers.get("Set-Cookie")?.split("; ") ?? [];
      const [name, secret] = pair.split("=");
      assert.equal(name, visitorCookie);
      secrets.add(v.parse(v.pipe(v.string(), v.uuid()), secret));
      assert.deepEqual(attributes.sort(), ["HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=Lax"]);
    }
    assert.equal(secrets.size, 2);
  });

  it("behind TLS gives a cookie that travels by TLS only", async () => {
    const reply = await visit({ "X-Forwarded-Proto": "https" });
    assert.match(reply.headers.get("Set-Cookie") ?? "", /; Secure(;|$)/);
  });

  it("keeps a visitor's secret, and replaces a malformed one", async () => {
    const kept = await visit({ Cookie: `other=1; ${visitorCookie}=${visitor}` });
    assert.equal(kept.headers.get("Set-Cookie"), null);
    for (const malformed of ["", "me", `${visitor}0`, "%00"]) {
      const replaced = await visit({ Cookie: `${visitorCookie}=${malformed}` });
      assert.match(replaced.headers.get("Set-Cookie") ?? "", new RegExp(`^${visitorCookie}=[0-9a-f-]{36};`));
    }
    assert.ok(!logged().includes(visitor));
  });
});

describe("the documentation", () => {
  it("is a page whose policy opens only for itself", async () => {
    const docs = await openFrontend().request("/docs");
    assert.equal(docs.status, 200);
    assert.equal(docs.headers.get("Content-Security-Policy"), docsContentSecurityPolicy);
    const problems = await openFrontend().request("/docs/problems");
    assert.equal(problems.status, 200);
    assert.equal(problems.headers.get("Content-Security-Policy"), contentSecurityPolicy);
    assert.match(await problems.text(), /id="out_of_stock"/);
  });

  it("makes nobody a visitor", async () => {
    for (const path of ["/docs", "/docs/problems", ...Object.keys(assets)]) {
      assert.equal((await openFrontend().request(path)).headers.get("Set-Cookie"), null);
    }
  });
});

describe("an asset", () => {
  for (const path of [...Object.keys(assets), ...Object.keys(lazyAssets)]) {
    it(`${path} is asked for again each time, and sent again only when it is another`, async () => {
      const app = openFrontend();
      const first = await app.request(path);
      assert.equal(first.status, 200);
      assert.match(
        first.headers.get("Content-Type") ?? "",
        /^(text\/(css|javascript); charset=utf-8|image\/svg\+xml)$/,
      );
      assert.equal(first.headers.get("Cache-Control"), "no-cache");
      const etag = first.headers.get("ETag") ?? "";
      assert.match(etag, /^(W\/)?"[^"]+"$/);
      assert.ok((await first.text()).length > 0);

      const again = await app.request(path, { headers: { "If-None-Match": etag } });
      assert.equal(again.status, 304);
      assert.equal(again.headers.get("ETag"), etag);
      assert.equal(await again.text(), "");
      const other = await app.request(path, { headers: { "If-None-Match": '"other"' } });
      assert.equal(other.status, 200);
    });
  }

  it("that is none is not found", async () => {
    await assertProblem(await openFrontend().request("/page.php"), "not_found");
  });
});

describe("the API of the page's own origin", () => {
  it("an order goes on with its key, and one without gets a key before it can be sent twice", async () => {
    const keys: (string | null)[] = [];
    const app = openFrontend(async ({ headers }) => {
      keys.push(headers.get("Idempotency-Key"));
      return Response.json({});
    });
    const body = JSON.stringify({ item: "item1", quantity: 1 });
    for (const headers of [{ "Idempotency-Key": visitor }, {}, {}]) {
      await app.request("/api/orders", { method: "POST", headers, body });
    }
    assert.equal(keys[0], visitor);
    for (const key of keys) v.parse(v.pipe(v.string(), v.uuid()), key);
    assert.equal(new Set(keys).size, 3);
  });

  it("is the gateway's: method, path, query, cookies and body go there, its answer comes back as it is", async () => {
    const asked: Request[] = [];
    const app = openFrontend(async (request) => {
      asked.push(request);
      const headers = { "Idempotency-Key": visitor, "Retry-After": "3", "Content-Type": problemMediaType };
      return new Response('{"b":1, "a":2}', { status: 409, headers });
    });
    const reply = await app.request("/api/orders?x=%20y", {
      method: "POST",
      headers: { Cookie: `${visitorCookie}=${visitor}`, "Content-Type": "application/json" },
      body: '{"item":"item1"}',
    });
    const [request] = asked;
    assert.equal(`${request?.method} ${request?.url}`, "POST http://gateway/api/orders?x=%20y");
    assert.equal(request?.headers.get("Cookie"), `${visitorCookie}=${visitor}`);
    assert.equal(await request?.text(), '{"item":"item1"}');
    assert.equal(reply.status, 409);
    assert.equal(await reply.text(), '{"b":1, "a":2}');
    assert.equal(reply.headers.get("Idempotency-Key"), visitor);
    assert.equal(reply.headers.get("Retry-After"), "3");
    assert.ok(!logged().includes(visitor));
  });

  it("goes on in the caller's trace, as a span of our own, and with nothing else that the caller says of it", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const theirs = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: "a=b", baggage: "c=d" };
    const asked: Request[] = [];
    const app = openFrontend(async (request) => {
      asked.push(request);
      return Response.json({});
    });
    await app.request("/api/inventory", { headers: theirs });
    const [, passed, spanId] = asked[0]?.headers.get("traceparent")?.split("-") ?? [];
    assert.equal(passed, traceId);
    assert.match(spanId ?? "", /^(?!00f067aa0ba902b7)[0-9a-f]{16}$/);
    for (const name of ["tracestate", "baggage"]) assert.equal(asked[0]?.headers.get(name), null, name);
  });

  it("says which functions woke for a reply, a problem too: itself at first, and those that the gateway names, once each", async () => {
    const woken = 'cold;dur=12.3;desc="gateway", cold;dur=5;desc="orders"';
    for (const status of [200, 503]) {
      const app = openFrontend(async () => new Response("{}", { status, headers: { "Server-Timing": woken } }));
      const timing = async () => (await app.request("/api/inventory")).headers.get("Server-Timing") ?? "";
      const first = await timing();
      assert.equal(first.replace(/^cold;dur=[\d.]+;desc="frontend", /, ""), woken);
      assert.notEqual(first, woken);
      assert.equal(await timing(), woken);
    }
  });

  it("asks the gateway once, whatever it answers", async () => {
    for (const status of [429, 502, 503, 504]) {
      let attempts = 0;
      await openFrontend(async () => {
        attempts++;
        return new Response("", { status });
      }).request("/api/inventory");
      assert.equal(attempts, 1);
    }
  });

  it("has the gateway's description", async () => {
    const app = openFrontend(async ({ url }) => Response.json({ url }));
    assert.deepEqual(await (await app.request("/openapi.json")).json(), { url: "http://gateway/openapi.json" });
  });

  it("without a gateway answers a problem", async () => {
    for (const path of ["/api/inventory", "/openapi.json"]) {
      const { detail } = await assertProblem(await openFrontend().request(path), "bad_gateway");
      assert.equal(detail, "gateway cannot be reached");
    }
  });

  it("with only a proxy in the gateway's place answers a problem, and says when to come back", async () => {
    const app = openFrontend(async () => new Response("no healthy upstream", { status: 503 }));
    const reply = await app.request("/api/inventory");
    assert.equal(reply.headers.get("Retry-After"), "1");
    await assertProblem(reply, "unavailable");
  });
});
