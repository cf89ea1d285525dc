import { prometheus } from "@hono/prometheus";
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { roundMs } from "./boot.ts";
import { type Attributes, metrics as catalogue } from "./catalogue.ts";
import { methodName, spanName } from "./method.ts";
import type { CallEnv } from "./receive.ts";
import type { Telemetry } from "./telemetry.ts";

type ObserveOptions = {
  telemetry: Telemetry;
  /** Also keeps quantiles of the duration. */
  summary: boolean;
};

/**
 * What is told of each request, in one place so that it agrees: a count, a duration, a line of the log, the end of the server's span, each
 * exactly once. The count is `@hono/prometheus`'s, with labels of ours in place of its own.
 */
export function observe({ telemetry, summary }: ObserveOptions): MiddlewareHandler<CallEnv>[] {
  const { registry } = telemetry.metrics;
  const durations = telemetry.metrics.histogram("http_request_duration_seconds");
  const quantiles = summary ? telemetry.metrics.summary("http_request_summary_seconds") : undefined;
  const { registerMetrics } = prometheus({
    registry,
    metricOptions: {
      requestDuration: { disabled: true },
      requestsTotal: {
        help: catalogue.http_requests_total.help,
        customLabels: {
          method: methodOf,
          route: routeOf,
          status_code: (c) => `${c.res.status}`,
          status: none,
          ok: none,
        },
      },
    },
  });

  const finish: MiddlewareHandler<CallEnv> = async (c, next) => {
    const startMs = performance.now();
    await next();
    const seconds = (performance.now() - startMs) / 1000;
    const { log, trace, cold } = c.var.call;
    const method = methodOf(c);
    const route = routeOf(c);
    const status = c.res.status;

    durations.observe({
      labels: { method, route, status_code: `${status}`, cold: `${cold.length > 0}` },
      value: seconds,
      exemplarLabels: trace.exemplar as object, // prom-client types them as the metric's own
    });
    quantiles?.observe({ method, route }, seconds);

    trace.set(spanAttributes(c, { method, route, status }));
    if (status >= 500) trace.fail(`${status}`);
    trace.end(spanName(method, route === unmatched ? undefined : route));

    const fields = {
      method,
      route,
      status_code: status,
      duration_ms: roundMs(seconds * 1000),
      ...(cold.length > 0 && { cold: true }),
    };
    if (status >= 500) log.error({ ...fields, err: c.error }, "request");
    else log.info(fields, "request");
  };
  return [registerMetrics, finish];
}

type Told = { method: string; route: string; status: number };

const unmatched = "unmatched";
const none = () => "";

const methodOf = ({ req }: Context): string => methodName(req.method);

/** The route's template, `unmatched` when no handler was registered for the path. */
function routeOf(c: Context): string {
  const route = matchedRoutes(c).at(-1);
  return !route || (route.method === "ALL" && route.path === "/*") ? unmatched : route.path;
}

/** Whether all of a path is known: what stands in place of a parameter only once it has been found to fit. */
const isKnown = ({ req }: Context, route: string): boolean =>
  !/[:*]/.test(route) || req.valid("param" as never) !== undefined;

/** Of the semantic conventions for HTTP servers what holds no data of the caller's: no query, no header, no path that is not ours. */
function spanAttributes(c: Context<CallEnv>, { method, route, status }: Told): Attributes {
  return {
    "http.request.method": method,
    "http.response.status_code": status,
    "url.scheme": c.req.header("X-Forwarded-Proto") === "https" || c.req.url.startsWith("https:") ? "https" : "http",
    "faas.trigger": "http",
    ...(route !== unmatched && { "http.route": route, ...(isKnown(c, route) && { "url.path": c.req.path }) }),
  };
}
