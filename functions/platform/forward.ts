import { proxy } from "hono/proxy";
import { type Call, deadlineSignal, hopReserveMs } from "./call.ts";
import { isProblem, proxyProblem, silenceProblem } from "./client.ts";

type ForwardOptions = { name: string; baseUrl: string; fetch?: (request: Request) => Promise<Response> };

/**
 * Sends a request on to a peer as it is and streams the answer back; the deadline bounds the wait for its head. Throws
 * {@link Problem} as a peer's client does: for what only a proxy between can have answered, and where no answer came.
 */
export function createForwarder({ name, baseUrl, fetch = globalThis.fetch }: ForwardOptions) {
  return async (request: Request, call: Call): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const { signal, clear } = deadlineSignal(call.deadlineMs - hopReserveMs, call.signal);
    const headers = new Headers(request.headers);
    headers.delete("Host"); // ours, by which a cluster's proxy would send the request back to us
    headers.set("traceparent", call.traceparent);
    headers.set("X-Request-Id", call.requestId);
    const response = await proxy(`${baseUrl}${pathname}${search}`, {
      raw: new Request(request, { headers }),
      redirect: "manual",
      signal,
      customFetch: fetch,
    })
      .catch((error) => {
        throw silenceProblem(name, error, signal);
      })
      .finally(clear);
    if (response.status >= 400 && !isProblem(response.status, response.headers)) {
      await response.body?.cancel();
      throw proxyProblem(name, response.status, response.headers);
    }
    return response;
  };
}
