import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { matchedRoutes } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { openAPIRouteHandler } from "hono-openapi";
import {
  type Call,
  type Clock,
  DeadlineExceeded,
  deadlineDefaultMs,
  deadlineHeader,
  deadlineSignal,
  orAborted,
  readTrace,
} from "./call.ts";
import type { Logger } from "./log.ts";
import { PeerProblem, Problem, problemMediaType } from "./problem.ts";

type Env = { Variables: { call: Call; requestId: string } };

/** A Hono application whose handlers find their {@link Call} in `c.var.call`. */
export type App = Hono<Env>;

type AppOptions = {
  log: Logger;
  /** What `/openapi.json` says of the function; without it there is none. */
  info?: { title: string; description: string };
  /** At the public edge foreign deadlines are ignored. */
  edge?: boolean;
  /** How long a request without a deadline may take, in milliseconds. */
  timeoutMs?: number;
  clock?: Clock;
};

const bodyMaxBytes = 64 * 1024;
const apiPolicy = "default-src 'none'; frame-ancestors 'none'";

/** The chain every function shares: health routes, call context, access log, headers, limits, problem+json (RFC 9457). */
export function createApp({
  log,
  info,
  edge = false,
  timeoutMs = deadlineDefaultMs,
  clock = Date.now,
}: AppOptions): App {
  const app: App = new Hono();
  for (const path of ["/healthz", "/readyz", "/livez"]) app.get(path, (c) => c.text("OK"));

  app.use(requestId({ limitLength: 64 }));
  app.use(withCall({ log, edge, timeoutMs, clock }));
  app.use(accessLog);
  app.use(secureHeaders());
  app.use(defaultHeaders);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        reply(
          c,
          new Problem("method_not_allowed", "this path has other methods", { headers: { Allow: methods.join(", ") } }),
        ),
    }),
  );
  app.use(wholeBody);
  if (info) app.get("/openapi.json", describe(app, info));
  app.notFound((c) => reply(c, new Problem("not_found", "there is nothing at this path")));
  app.onError((error, c) => reply(c, toProblem(error, c.req.raw.signal)));
  return app;
}

const describe = (app: App, info: { title: string; description: string }) =>
  openAPIRouteHandler(app, {
    documentation: { info: { ...info, version: "1.0.0" } },
    exclude: ["/openapi.json", "/healthz", "/readyz", "/livez"],
    defaultValidationErrorResponse: false,
  });

type CallOptions = Required<Pick<AppOptions, "log" | "edge" | "timeoutMs" | "clock">>;

function withCall({ log, edge, timeoutMs, clock }: CallOptions): MiddlewareHandler<Env> {
  return async (c, next) => {
    const trace = readTrace(c.req.header("traceparent"));
    const latestMs = clock() + timeoutMs;
    const deadlineMs = Math.min(latestMs, (!edge && readDeadline(c.req.header(deadlineHeader))) || latestMs);
    const { signal, clear } = deadlineSignal(deadlineMs, c.req.raw.signal, clock);
    const requestId = c.get("requestId");
    c.set("call", {
      log: log.child({ request_id: requestId, trace_id: trace.traceId }),
      requestId,
      ...trace,
      deadlineMs,
      signal,
    });
    await next();
    clear();
  };
}

function readDeadline(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{13}$/.test(header) ? Number(header) : undefined;
}

const accessLog: MiddlewareHandler<Env> = async (c, next) => {
  const startMs = performance.now();
  await next();
  const fields = {
    method: knownMethods.has(c.req.method) ? c.req.method : "_OTHER",
    route: routeOf(c),
    status_code: c.res.status,
    duration_ms: Math.round((performance.now() - startMs) * 100) / 100,
  };
  if (c.res.status >= 500) c.var.call.log.error({ ...fields, err: c.error }, "request");
  else c.var.call.log.info(fields, "request");
};

const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]);

/** The route's template, `unmatched` when no handler was registered for the path. */
function routeOf(c: Context): string {
  const route = matchedRoutes(c).at(-1);
  return !route || (route.method === "ALL" && route.path === "/*") ? "unmatched" : route.path;
}

/** On every reply, a forwarded one too: what `c.header` sets before a handler is lost when that returns a response of its own. */
const defaultHeaders: MiddlewareHandler<Env> = async (c, next) => {
  await next();
  const { headers } = c.res;
  headers.set("X-Request-Id", c.get("requestId"));
  if (!headers.has("Content-Security-Policy")) headers.set("Content-Security-Policy", apiPolicy);
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
};

const limitBody = bodyLimit({
  maxSize: bodyMaxBytes,
  onError: () => {
    throw new Problem("payload_too_large", `body should be at most ${bodyMaxBytes} bytes`);
  },
});

/** Reads a body before anything is done with it: one that breaks off or never ends is the caller's doing, not ours nor a peer's. */
const wholeBody: MiddlewareHandler<Env> = async (c, next) => {
  const read = limitBody(c, async () => {
    if (c.req.raw.body) c.req.raw = new Request(c.req.raw, { body: await c.req.raw.arrayBuffer() });
  });
  try {
    await orAborted(read, c.var.call.signal);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const detail = cause instanceof DeadlineExceeded ? "body did not arrive in time" : "body ends early";
    throw new Problem("invalid", detail, { cause });
  }
  await next();
};

function toProblem(error: unknown, caller: AbortSignal): Problem | PeerProblem {
  if (caller.aborted) return new Problem("client_closed", "nobody reads this", { cause: error });
  if (error instanceof Problem || error instanceof PeerProblem) return error;
  if (error instanceof HTTPException && error.status === 400) return new Problem("invalid", "body is not valid JSON");
  return new Problem("internal", "something went wrong here", { cause: error });
}

function reply(c: Context<Env>, problem: Problem | PeerProblem): Response {
  return c.body(JSON.stringify(problem.body(c.var.call.traceId)), problem.status as ContentfulStatusCode, {
    ...problem.headers,
    "Content-Type": problemMediaType,
  });
}
