import { once } from "node:events";
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { type Api, openTunnel } from "./api.ts";
import type { Name } from "./environment.ts";
import { serviceOf } from "./state.ts";

export type Reply = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** When it was asked, in Unix milliseconds, and how long the whole answer took. */
  sentMs: number;
  tookMs: number;
};
export type Asking = { method?: "GET" | "POST"; body?: unknown; headers?: Record<string, string> };

/** The way in: every function by its own route, through the ingress, whether the public may come there or not. */
export type Routes = AsyncDisposable & {
  /** The public address of the ingress, and under which host a function is found there. */
  readonly url: string;
  hostOf(name: string): Promise<string>;
  ask(name: string, path: string, asking?: Asking): Promise<Reply>;
};

type RoutesOptions = { api: Api; publicUrl?: string | undefined; internalUrl?: string | undefined };

/** What each function is asked when it is asked directly. */
export const paths: Readonly<Record<Name, string>> = {
  frontend: "/docs/problems",
  gateway: "/openapi.json",
  orders: "/openapi.json",
  inventory: "/inventory",
  users: "/users",
};

const timeoutMs = 60_000;

/** By the given addresses of Kourier, else by `kubectl port-forward` to its Services. */
export async function openRoutes({ api, publicUrl, internalUrl }: RoutesOptions): Promise<Routes> {
  const forwards: AsyncDisposable[] = [];
  const forward = async (service: string) => {
    const to = `${service}, whose address may be given (--public, --internal)`;
    const tunnel = await openTunnel(to, "port-forward", "--namespace=kourier-system", `service/${service}`, ":80");
    forwards.push(tunnel);
    return `http://${tunnel.address}`;
  };
  const outside = publicUrl ?? (await forward("kourier"));
  const inside = internalUrl ?? (await forward("kourier-internal"));

  async function hostOf(name: string): Promise<string> {
    const { status } = await serviceOf(api, name);
    if (!status?.url) throw new Error(`Cannot find the route of "${name}": it has no address yet`);
    return new URL(status.url).host;
  }
  return {
    url: outside,
    hostOf,
    async ask(name, path, asking = {}) {
      const host = await hostOf(name);
      return send(`${host.endsWith(".svc.cluster.local") ? inside : outside}${path}`, host, asking);
    },
    async [Symbol.asyncDispose]() {
      for (const one of forwards) await one[Symbol.asyncDispose]();
    },
  };
}

/** One request over a connection of its own. */
export async function send(url: string, host: string, { method = "GET", body, headers }: Asking = {}): Promise<Reply> {
  const sentMs = Date.now();
  const startMs = performance.now();
  const json = body === undefined ? undefined : JSON.stringify(body);
  const agent = new Agent();
  const asked = request(url, {
    method,
    agent,
    headers: { Host: host, ...(json && { "Content-Type": "application/json" }), ...headers },
    signal: AbortSignal.timeout(timeoutMs),
  });
  asked.end(json);
  const [reply] = await once(asked, "response");
  const answer = await text(reply);
  agent.destroy();
  return {
    status: reply.statusCode,
    headers: reply.headers,
    text: answer,
    sentMs,
    tookMs: performance.now() - startMs,
  };
}

/** Places an order for one unit, as a customer does. */
export const placeOrder = (routes: Routes, through: Name = "gateway", item = "item3"): Promise<Reply> =>
  routes.ask(through, "/api/orders", {
    method: "POST",
    body: { item, quantity: 1 },
    headers: { "Idempotency-Key": crypto.randomUUID() },
  });
