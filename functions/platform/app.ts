import { type Context, Hono, type MiddlewareHandler } from "hono";
import { accepts } from "hono/accepts";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { openAPIRouteHandler } from "hono-openapi";
import { type Clock, DeadlineExceeded, deadlineDefaultMs, orAborted } from "./call.ts";
import { serverTimingHeader } from "./cold.ts";
import { contentTypes, type MediaType, mediaTypes } from "./exposition.ts";
import type { Metrics } from "./metrics.ts";
import { observe } from "./observe.ts";
import { PeerProblem, Problem, problemMediaType } from "./problem.ts";
import { type CallEnv, receive } from "./receive.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Position } from "./tracing.ts";

/** A Hono application whose handlers find their {@link Call} in `c.var.call`. */
export type App = Hono<CallEnv>;

type AppOptions = {
  telemetry: Telemetry;
  /** What `/openapi.json` says of the function; without it there is none. */
  info?: { title: string; description: string };
  /** Whom to believe: outside the shop foreign deadlines are ignored, and of a foreign trace all but its ids. */
  position?: Position;
  /** Whether `http_request_summary_seconds` is kept. */
  summary?: boolean;
  /** How long a request without a deadline may take, in milliseconds. */
  timeoutMs?: number;
  clock?: Clock;
};

const bodyMaxBytes = 64 * 1024;
const apiPolicy = "default-src 'none'; frame-ancestors 'none'";

/** The chain every function shares: health routes, metrics, call context, telemetry, headers, limits, problem+json (RFC 9457). */
export function createApp({
  telemetry,
  info,
  position = "inside",
  summary = false,
  timeoutMs = deadlineDefaultMs,
  clock = Date.now,
}: AppOptions): App {
  const app: App = new Hono();
  for (const path of ["/healthz", "/readyz", "/livez"]) app.get(path, (c) => c.text("OK"));

  app.get("/metrics", exposeMetrics(telemetry.metrics));

  app.use(requestId({ limitLength: 64 }));
  app.use(receive({ telemetry, position, timeoutMs, clock }));
  app.use(...observe({ telemetry, summary }));
  app.use(secureHeaders());
  app.use(defaultHeaders);
  app.use(onlyErrors);
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
  app.use(validHost);
  app.use(wholeBody);
  if (info) app.get("/openapi.json", describe(app, info));
  app.notFound((c) => reply(c, new Problem("not_found", "there is nothing at this path")));
  app.onError((error, c) => reply(c, toProblem(error, c.req.raw.signal)));
  return app;
}

const describe = (app: App, info: { title: string; description: string }) =>
  openAPIRouteHandler(app, {
    documentation: { info: { ...info, version: "1.0.0" } },
    exclude: ["/openapi.json", "/healthz", "/readyz", "/livez", "/metrics"],
    defaultValidationErrorResponse: false,
  });

/** Pulled straight from the process; through a proxy there is nothing at this path. */
const exposeMetrics =
  (metrics: Metrics): MiddlewareHandler =>
  async (c, next) => {
    if (c.req.header("X-Forwarded-For") !== undefined || c.req.header("Forwarded") !== undefined) return next();
    const type = accepts(c, { header: "Accept", supports: [...mediaTypes], default: "text/plain" }) as MediaType;
    return c.body(await metrics.expose(type), 200, { "Content-Type": contentTypes[type] });
  };

/** On every reply, a forwarded one too: what `c.header` sets before a handler is lost when that returns a response of its own. */
const defaultHeaders: MiddlewareHandler<CallEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  headers.set("X-Request-Id", c.get("requestId"));
  for (const entry of c.var.call.cold) headers.append(serverTimingHeader, entry);
  if (!headers.has("Content-Security-Policy")) headers.set("Content-Security-Policy", apiPolicy);
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
};

/** Hono hands an `Error` to `onError`; anything else that is thrown would leave neither a reply nor a line. */
const onlyErrors: MiddlewareHandler<CallEnv> = async (_, next) => {
  try {
    await next();
  } catch (cause) {
    throw cause instanceof Error ? cause : new Error("what was thrown is no error", { cause });
  }
};

/** With a malformed `Host` the request has no URL (RFC 9112 §3.2). */
const validHost: MiddlewareHandler<CallEnv> = async (c, next) => {
  if (!URL.canParse(c.req.url)) throw new Problem("invalid", "Host should be the name of a host");
  await next();
};

const limitBody = bodyLimit({
  maxSize: bodyMaxBytes,
  onError: () => {
    throw new Problem("payload_too_large", `body should be at most ${bodyMaxBytes} bytes`);
  },
});

/** Reads a body before anything is done with it: one that breaks off or never ends is the caller's doing, not ours nor a peer's. */
const wholeBody: MiddlewareHandler<CallEnv> = async (c, next) => {
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

function reply(c: Context<CallEnv>, problem: Problem | PeerProblem): Response {
  return c.body(JSON.stringify(problem.body(c.var.call.trace.traceId)), problem.status as ContentfulStatusCode, {
    ...problem.headers,
    "Content-Type": problemMediaType,
  });
}
