import { VisitorSecret, visitorCookie } from "@shop/gateway/contract";
import { idempotencyKeyHeader } from "@shop/orders/contract";
import type { App } from "@shop/platform/app";
import type { Call } from "@shop/platform/call";
import { problems } from "@shop/platform/problem";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { etag } from "hono/etag";
import * as v from "valibot";
import { type Asset, assets, lazyAssets } from "./assets.ts";
import { renderDocs, renderProblems } from "./docs.tsx";
import { renderPage } from "./page.tsx";
import { contentSecurityPolicy, docsContentSecurityPolicy } from "./security.ts";

type Options = { forward: (request: Request, call: Call) => Promise<Response> };

/** What every runtime's `fetch` can send; HEAD comes with GET. */
const forwardedMethods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const cookieMaxAgeS = 365 * 24 * 3600;

export function addRoutes(app: App, { forward }: Options): App {
  app.get("/", (c) => {
    rememberVisitor(c);
    return page(c, renderPage(), contentSecurityPolicy);
  });
  app.get("/docs", (c) => page(c, renderDocs(), docsContentSecurityPolicy));
  app.get("/docs/problems", (c) => page(c, renderProblems(problems), contentSecurityPolicy));

  for (const [path, asset] of Object.entries(assets)) app.get(path, etag(), (c) => send(c, asset));
  for (const [path, load] of Object.entries(lazyAssets)) app.get(path, etag(), async (c) => send(c, await load()));

  // The API of this origin is the gateway's, its description too.
  app.get("/openapi.json", (c) => forward(c.req.raw, c.var.call));
  app.post("/api/orders", (c) => forward(withKey(c.req.raw), c.var.call));
  app.on(forwardedMethods, "/api/*", (c) => forward(c.req.raw, c.var.call));
  return app;
}

/** An order without a key gets one here: a runtime may send a request twice when its connection is cut, and two keys are two orders. */
function withKey(request: Request): Request {
  if (request.headers.has(idempotencyKeyHeader)) return request;
  const headers = new Headers(request.headers);
  headers.set(idempotencyKeyHeader, crypto.randomUUID());
  return new Request(request, { headers });
}

/** A visitor is a random UUID in a cookie that no script can read; a malformed one is replaced. */
function rememberVisitor(c: Context): void {
  if (v.is(VisitorSecret, getCookie(c, visitorCookie))) return;
  setCookie(c, visitorCookie, crypto.randomUUID(), {
    httpOnly: true,
    sameSite: "Lax",
    secure: c.req.header("X-Forwarded-Proto") === "https",
    path: "/",
    maxAge: cookieMaxAgeS,
  });
}

function page(c: Context, html: string, policy: string): Response {
  return c.html(html, 200, { "Content-Security-Policy": policy });
}

function send(c: Context, { body, type }: Asset): Response {
  return c.body(body, 200, { "Content-Type": type, "Cache-Control": "no-cache" });
}
