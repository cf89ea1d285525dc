import { check } from "k6";
import http, { type RefinedResponse } from "k6/http";
import { Counter, Rate, Trend } from "k6/metrics";
import { target } from "./env.ts";

export type Reply = RefinedResponse<"text">;
export type Line = { item: string; quantity: number };
export type Placing = { lines: Line[]; key?: string };

const baseUrl = target();
const host = __ENV.HOST;
/** The functions that an order has to wake. */
export const chain = ["gateway", "orders", "inventory"];
const items = ["item1", "item2", "item3"];

/** The statistics that every summary shows. */
export const summaryTrendStats = ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"];

const woken = new Rate("woken");
const coldStart = new Trend("cold_start", true);
const confirmed = new Counter("orders_confirmed");
const pending = new Counter("orders_pending");
const refused = new Counter("orders_refused");

/** The functions that had to wake for an answer, with the milliseconds that their processes took to listen. */
export function wakes({ headers }: Reply): { name: string; ms: number }[] {
  const entries = (headers["Server-Timing"] ?? "").matchAll(/cold;dur=([\d.]+);desc="([a-z0-9-]+)"/g);
  return [...entries].map(([, ms, name]) => ({ name: name ?? "", ms: Number(ms) }));
}

export const browse = (): Promise<Reply> => ask("GET", "/api/products");
export const stock = (): Promise<Reply> => ask("GET", "/api/inventory");
export const readOrder = (orderId: string): Promise<Reply> => ask("GET", `/api/orders/${orderId}`);

/** Places an order; the same key is the same order, for ever. */
export const placeOrder = ({ lines, key = crypto.randomUUID() }: Placing): Promise<Reply> =>
  ask("POST", "/api/orders", { key, body: JSON.stringify({ lines }) });

/** Places an order for one unit of anything, and counts what became of it. Sold out is an answer: the shop works. */
export async function buySomething(): Promise<Reply> {
  const item = items[Math.floor(Math.random() * items.length)] ?? "item1";
  const reply = await placeOrder({ lines: [{ item, quantity: 1 }] });
  if (reply.status === 201) confirmed.add(1);
  if (reply.status === 202) pending.add(1);
  if (reply.status === 409) refused.add(1);
  check(reply, { "an order is confirmed, kept or refused": ({ status }) => [201, 202, 409].includes(status) });
  return reply;
}

/** Which statuses are no failure of the shop, whoever asks. */
export const answers = http.expectedStatuses(200, 201, 202, 409);

type Asking = { key?: string; body?: string };

/** One request in a trace of its own, whose id is told when it fails. */
async function ask(method: string, path: string, { key, body }: Asking = {}): Promise<Reply> {
  const traceId = hex(16);
  const headers = {
    traceparent: `00-${traceId}-${hex(8)}-01`,
    ...(body !== undefined && { "Content-Type": "application/json" }),
    ...(key !== undefined && { "Idempotency-Key": key }),
    ...(host && { Host: host }),
  };
  const name = `${method} ${path.replace(/ORDER-.*/, ":id")}`;
  const reply = (await http.asyncRequest(method, `${baseUrl}${path}`, body, { headers, tags: { name } })) as Reply;
  const cold = wakes(reply);
  woken.add(cold.length > 0);
  for (const { name, ms } of cold) coldStart.add(ms, { function: name });
  if (reply.status === 0 || reply.status >= 500) complain(`${name}: ${reply.status} ${reply.error}, trace ${traceId}`);
  return reply;
}

const complainEveryMs = 1_000;
let complainedMs = 0;

function complain(text: string): void {
  if (Date.now() - complainedMs < complainEveryMs) return;
  complainedMs = Date.now();
  console.error(text);
}

/** So many random bytes, as W3C Trace Context writes them. */
function hex(bytes: number): string {
  const random = new Uint8Array(bytes);
  crypto.getRandomValues(random);
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
