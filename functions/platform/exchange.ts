import type { Histogram } from "prom-client";
import type { Call } from "./call.ts";
import { noteCold } from "./cold.ts";
import { methodName, spanName } from "./method.ts";
import type { Metrics } from "./metrics.ts";
import { PeerProblem } from "./problem.ts";
import { errorTypeOf } from "./trace.ts";

/** How long each request to a peer took. */
export type ExchangeDurations = Histogram<"peer" | "method" | "status_code" | "error_type">;

/** The instrument of {@link exchange}. */
export const exchangeDurations = (metrics: Metrics): ExchangeDurations =>
  metrics.histogram("http_client_request_duration_seconds");

type Exchange = {
  durations: ExchangeDurations;
  peer: string;
  method: string;
  url: URL;
  /** 0 for the first attempt. */
  resend?: number;
};

/** What `work` gets: the headers that carry the trace on, and whom to tell that an answer's head has come. */
type Wire = { headers: Record<string, string>; answered(response: Response): void };

/** One request to a peer as this side sees it: a client span, a duration, and which functions it woke. */
export async function exchange<T>(
  { durations, peer, url, resend = 0, ...request }: Exchange,
  call: Call,
  work: (wire: Wire) => Promise<T>,
): Promise<T> {
  const startMs = performance.now();
  const method = methodName(request.method);
  let status: number | undefined;
  let errorType = "";
  let exemplarLabels: object = {};
  const attributes = {
    "http.request.method": method,
    "server.service.name": peer,
    "server.address": url.hostname,
    "server.port": Number(url.port || (url.protocol === "https:" ? 443 : 80)),
    "url.full": `${url.origin}${url.pathname}`,
    ...(resend > 0 && { "http.request.resend_count": resend }),
  };
  try {
    return await call.trace.child({ name: spanName(method), kind: "client", attributes }, (span) => {
      exemplarLabels = span.exemplar;
      return work({
        headers: span.headers,
        answered(response) {
          status = response.status;
          noteCold(call, response.headers);
          span.set({ "http.response.status_code": status });
          if (status >= 400) span.fail(`${status}`);
        },
      });
    });
  } catch (error) {
    if (!(error instanceof PeerProblem)) errorType = errorTypeOf(error);
    throw error;
  } finally {
    const labels = { peer, method, status_code: status === undefined ? "" : `${status}`, error_type: errorType };
    durations.observe({ labels, value: (performance.now() - startMs) / 1000, exemplarLabels });
  }
}
