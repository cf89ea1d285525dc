import { proxy } from "hono/proxy";
import { type Call, deadlineSignal, hopReserveMs } from "./call.ts";
import { isProblem, proxyProblem, silenceProblem } from "./client.ts";
import { serverTimingHeader } from "./cold.ts";
import { exchange, exchangeDurations } from "./exchange.ts";
import type { Metrics } from "./metrics.ts";

type ForwardOptions = {
  name: string;
  baseUrl: string;
  metrics: Metrics;
  fetch?: (request: Request) => Promise<Response>;
};

/** What a caller may not say for us. */
const ownHeaders = ["Host", "traceparent", "tracestate", "baggage"];

/**
 * Sends a request on to a peer as it is and streams the answer back; the deadline bounds the wait for its head. Throws
 * {@link Problem} as a peer's client does: for what only a proxy between can have answered, and where no answer came.
 */
export function createForwarder({ name, baseUrl, metrics, fetch = globalThis.fetch }: ForwardOptions) {
  const durations = exchangeDurations(metrics);
  return (request: Request, call: Call): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const url = new URL(`${baseUrl}${pathname}${search}`);
    const { signal, clear } = deadlineSignal(call.deadlineMs - hopReserveMs, call.signal);
    // Of the URL only whose it is: the path is as the caller wrote it.
    return exchange({ durations, peer: name, method: request.method, url: new URL(baseUrl) }, call, async (wire) => {
      const headers = new Headers(request.headers);
      for (const header of ownHeaders) headers.delete(header); // with our Host a cluster's proxy would send it back to us
      for (const [header, value] of Object.entries(wire.headers)) headers.set(header, value);
      headers.set("X-Request-Id", call.requestId);
      const response = await proxy(url, {
        raw: new Request(request, { headers }),
        redirect: "manual",
        signal,
        customFetch: fetch,
      })
        .catch((error) => {
          throw silenceProblem(name, error, signal);
        })
        .finally(clear);
      wire.answered(response);
      response.headers.delete(serverTimingHeader); // ours names whom the peer woke
      if (response.status >= 400 && !isProblem(response.status, response.headers)) {
        await response.body?.cancel();
        throw proxyProblem(name, response.status, response.headers);
      }
      return response;
    });
  };
}
