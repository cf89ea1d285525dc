import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { Problem } from "@shop/platform/problem";
import type { Target } from "./instance.ts";
import { listen } from "./listen.ts";
import { answerProblem, unavailable } from "./problem.ts";
import type { Slot } from "./slot.ts";

export interface ReverseProxy {
  port: number;
  /** Refuses new connections and waits for the replies under way, at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

export interface ProxyOptions {
  slot: Slot;
  port: number;
  /** Requests that come earlier wait for it. */
  ready: Promise<void>;
}

/** One function's port on the loopback interface. Rejects when the port is taken. */
export async function openProxy({ slot, port, ready }: ProxyOptions): Promise<ReverseProxy> {
  // Not Bun's fetch: it has at most 256 requests under way, and where those wait for each other that is a deadlock.
  const server = http.createServer((request, reply) => {
    // `close` alone would wait for the connections of these replies to time out.
    reply.once("close", () => {
      if (server.listening) return;
      if (!request.complete) request.socket.destroy();
      server.closeIdleConnections();
    });
    if (request.url?.split("?")[0] === "/metrics") passScrape(slot, request, reply);
    else {
      ready.then(
        () => passRequest(slot, request, reply),
        () => answerProblem(request, reply, unavailable(`Cannot wake "${slot.name}": no database`)),
      );
    }
  });
  // No reply is cut for being slow, and no caller's idle connection closes just when it is used again.
  Object.assign(server, { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 600_000 });
  return {
    port: await listen(server, port, slot.name),
    async close(timeoutMs) {
      const late = setTimeout(() => server.closeAllConnections(), timeoutMs);
      await new Promise((resolve) => server.close(resolve));
      clearTimeout(late);
    },
  };
}

/** A scrape must neither wake a function nor keep it awake. */
function passScrape(slot: Slot, request: IncomingMessage, reply: ServerResponse): void {
  const { name, awake: target } = slot;
  if (!target) answerProblem(request, reply, unavailable(`Cannot read the metrics of "${name}": asleep`));
  else pass({ request, reply, target, name, headers: endToEnd(request.rawHeaders) });
}

async function passRequest(slot: Slot, request: IncomingMessage, reply: ServerResponse): Promise<void> {
  const { name } = slot;
  const lease = await slot.lease().catch((error: Error) => error);
  if (lease instanceof Error) {
    answerProblem(request, reply, unavailable(`Cannot wake "${name}": ${lease.message}`));
  } else if (reply.destroyed) {
    lease.release();
  } else {
    reply.once("close", lease.release);
    pass({ request, reply, target: lease.target, name, headers: forwarded(request) });
  }
}

interface Pass {
  request: IncomingMessage;
  reply: ServerResponse;
  target: Target;
  name: string;
  headers: string[];
}

function pass({ request, reply, target, name, headers }: Pass): void {
  const { method = "GET", url = "/" } = request;
  const upstream = http.request({
    host: "127.0.0.1",
    port: target.port,
    agent: target.agent,
    method,
    path: url,
    headers,
    setHost: false,
  });
  upstream.on("response", (answer) => {
    reply.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
    answer.on("error", () => reply.destroy());
    answer.pipe(reply);
  });
  upstream.on("error", () => {
    const detail = `Cannot pass on the request to "${name}": connection lost`;
    if (reply.headersSent) reply.destroy();
    else answerProblem(request, reply, new Problem("bad_gateway", detail));
  });
  reply.once("close", () => upstream.destroy());
  request.pipe(upstream);
}

function forwarded(request: IncomingMessage): string[] {
  const { "x-forwarded-for": earlier, "x-forwarded-proto": proto } = request.headers;
  const client = request.socket.remoteAddress ?? "unknown";
  const rest = endToEnd(request.rawHeaders, ["x-forwarded-for", "x-forwarded-proto"]);
  return [
    ...rest,
    "X-Forwarded-For",
    earlier ? `${earlier}, ${client}` : client,
    "X-Forwarded-Proto",
    `${proto ?? "http"}`,
  ];
}

// Connection-level fields (RFC 9110 §7.6.1), and `Expect`, which the server has answered. `Transfer-Encoding` stays: Node frames by it.
const hopByHop = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"];

/** The fields of a raw header list that are meant for the other end, in their order and spelling. */
function endToEnd(raw: string[], without: string[] = []): string[] {
  const dropped = new Set([...hopByHop, ...without]);
  const pairs = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ""] as const] : []));
  for (const [name, value] of pairs) {
    if (name.toLowerCase() === "connection")
      for (const token of value.split(",")) dropped.add(token.trim().toLowerCase());
  }
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat();
}
