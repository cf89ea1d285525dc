import { durationMs } from "./duration.ts";
import { type Exchange, exchange, type Timings } from "./exchange.ts";
import type { Metrics, Tags } from "./metrics.ts";
import type { Options } from "./options.ts";
import { NotRunnable, onlyThese } from "./subset.ts";
import { type Current, handOut, type Iteration } from "./vu.ts";

type Expected = { isExpected(status: number): boolean };

export type Params = {
  headers?: Record<string, string>;
  tags?: Record<string, string>;
  timeout?: string | number;
  redirects?: number;
  responseType?: "text" | "none";
  responseCallback?: Expected | null;
};

const paramNames = ["headers", "tags", "timeout", "redirects", "responseType", "responseCallback"];
const timeoutMs = 60_000; // k6's default

/** Filled in once the script has been read, as the script's import comes before its options. */
export type HttpSettings = Pick<Options, "discardResponseBodies" | "maxRedirects" | "userAgent">;

export type HttpDependencies = {
  current: Current;
  metrics: Metrics;
  settings: () => HttpSettings;
  warn: (text: string) => void;
};

/** The module `k6/http`. */
export function createHttp({ current, metrics, settings, warn }: HttpDependencies) {
  let expected: Expected | null = expectedStatuses({ min: 200, max: 399 });

  async function send(iteration: Iteration, method: string, address: unknown, body: unknown, params: Params = {}) {
    const { discardResponseBodies, maxRedirects, userAgent } = settings();
    for (const name of Object.keys(params)) {
      if (!paramNames.includes(name))
        throw new NotRunnable(`Cannot use the parameter "${name}": the runner has no such one`);
    }
    if (params.responseType && params.responseType !== "text" && params.responseType !== "none") {
      throw new NotRunnable(`Cannot use the responseType "${params.responseType}": the runner has text and none`);
    }
    if (typeof body !== "string" && body !== undefined && body !== null) {
      throw new NotRunnable(
        `Cannot send a body of type "${typeof body}": the runner takes text only, as JSON.stringify gives`,
      );
    }
    let hop = { method: method.toUpperCase(), url: readUrl(address), body: body ?? undefined };
    for (let redirects = params.redirects ?? maxRedirects; ; redirects--) {
      const headers = headersOf(hop.body, params.headers, userAgent);
      const keepBody = (params.responseType ?? (discardResponseBodies ? "none" : "text")) === "text";
      const { vu, interruption } = iteration;
      const answer = await exchange({
        ...hop,
        headers,
        vu,
        timeoutMs: params.timeout === undefined ? timeoutMs : readTimeout(params.timeout),
        interruption,
        keepBody,
      });
      record(iteration, hop, answer, params);
      const location = answer.headers.Location;
      if (!isRedirect(answer.status) || location === undefined || redirects <= 0) return response(hop.url, answer);
      const keepsMethod = answer.status === 307 || answer.status === 308 || hop.method === "HEAD";
      hop = keepsMethod
        ? { ...hop, url: new URL(location, hop.url) }
        : { method: "GET", url: new URL(location, hop.url), body: undefined };
    }
  }

  function record(iteration: Iteration, hop: { method: string; url: URL }, answer: Exchange, params: Params): void {
    const callback = params.responseCallback === undefined ? expected : params.responseCallback;
    const isExpected = callback?.isExpected(answer.status);
    const tags: Tags = {
      ...iteration.tags,
      proto: "HTTP/1.1",
      method: hop.method,
      url: hop.url.href,
      name: hop.url.href,
      status: `${answer.status}`,
      ...(answer.errorCode !== 0 && { error: answer.error, error_code: `${answer.errorCode}` }),
      ...(isExpected !== undefined && { expected_response: `${isExpected}` }),
      ...params.tags,
    };
    metrics.add("http_reqs", 1, tags);
    if (isExpected !== undefined) metrics.add("http_req_failed", isExpected ? 0 : 1, tags);
    for (const [phase, ms] of Object.entries(answer.timings)) metrics.add(`http_req_${phase}`, ms, tags);
    metrics.add("data_sent", answer.sentBytes, iteration.tags);
    metrics.add("data_received", answer.receivedBytes, iteration.tags);
    if (answer.status === 0) warn(`Request failed: ${answer.error}`);
    if (answer.headers["Set-Cookie"] !== undefined) warn("The runner keeps no cookies, as k6 does within an iteration");
  }

  const call = (name: string, method: string, address: unknown, body: unknown, params?: Params) => {
    const iteration = current.require(name);
    return handOut(iteration, name, name !== "http.asyncRequest", send(iteration, method, address, body, params));
  };

  return onlyThese("k6/http", {
    get: (address: unknown, params?: Params) => call("http.get", "GET", address, undefined, params),
    post: (address: unknown, body?: unknown, params?: Params) => call("http.post", "POST", address, body, params),
    request: (method: string, address: unknown, body?: unknown, params?: Params) =>
      call("http.request", method, address, body, params),
    asyncRequest: (method: string, address: unknown, body?: unknown, params?: Params) =>
      call("http.asyncRequest", method, address, body, params),
    expectedStatuses,
    setResponseCallback(callback: Expected | null) {
      if (current.get()) {
        throw new NotRunnable('Cannot call "http.setResponseCallback": the runner takes it at the top only');
      }
      expected = callback;
    },
  });
}

function expectedStatuses(...accepted: (number | { min: number; max: number })[]): Expected {
  const isExpected = (status: number) =>
    accepted.some((one) => (typeof one === "number" ? one === status : one.min <= status && status <= one.max));
  return { isExpected };
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

function readUrl(address: unknown): URL {
  const url = typeof address === "string" ? URL.parse(address) : null;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new NotRunnable(`Cannot ask "${address}": not the URL of an HTTP server`);
}

function readTimeout(timeout: string | number): number {
  return typeof timeout === "number" ? timeout : durationMs(timeout);
}

function headersOf(body: string | undefined, own: Record<string, string> = {}, userAgent: string) {
  const length = body === undefined ? {} : { "Content-Length": `${Buffer.byteLength(body)}` };
  return { "User-Agent": userAgent, ...length, ...own };
}

export type Response = {
  status: number;
  status_text: string;
  headers: Record<string, string>;
  body: string | null;
  error: string;
  error_code: number;
  url: string;
  proto: string;
  remote_ip: string;
  remote_port: number;
  timings: Timings;
  json(selector?: string): unknown;
};

function response(url: URL, answer: Exchange): Response {
  return onlyThese("the response", {
    status: answer.status,
    status_text: answer.statusText,
    headers: answer.headers,
    body: answer.body,
    error: answer.error,
    error_code: answer.errorCode,
    url: url.href,
    proto: "HTTP/1.1",
    remote_ip: answer.remote.ip,
    remote_port: answer.remote.port,
    timings: onlyThese("timings", answer.timings),
    json(selector?: string) {
      if (selector !== undefined) throw new NotRunnable(`Cannot use json("${selector}"): the runner has json() only`);
      return JSON.parse(answer.body ?? "");
    },
  });
}
