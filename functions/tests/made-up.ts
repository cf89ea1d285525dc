import type { Description, Operation } from "./input/openapi.ts";
import type { RawRequest } from "./kept-alive.ts";

/** What a caller invents, and how it is drawn: the same seed draws the same. */
export type Inventor = { text(): string; below(count: number): number; one<T>(choices: readonly T[]): T };

/** A request with a known outcome, whatever it is filled with. */
export type Shape = (invent: Inventor) => RawRequest;

/** In all that is made up. Every part of a request can hold it, and no hexadecimal number does. */
export const mark = "zq7w";

export const knownMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"];
const otherMethods = ["PROPFIND", "M-SEARCH", "get", "Post"];

/** What the descriptions' parameters are when they exist in the shop. */
const existing: Record<string, string> = {
  item: "item1",
  id: "1",
  orderId: "ORDER-019cb2c4-6c1f-7d3a-9e41-5b8f0a6f2c11",
};
const subject = `Visitor-Subject: ${"a".repeat(64)}`;

export function createInventor(seed: number): Inventor {
  let state = seed | 1;
  const below = (count: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
  return {
    below,
    text: () => `${mark}${below(2 ** 32).toString(36)}`,
    one: (choices) => choices[below(choices.length)] as (typeof choices)[number],
  };
}

/** Every way to ask a function with an outcome of its own: each path with each method, filled as described or made up, and none of its paths. */
export function shapesOf({ paths }: Description): Shape[] {
  return [...Object.entries(paths).flatMap(([template, item]) => shapesOfPath(template, item)), ...strays];
}

function shapesOfPath(template: string, item: Record<string, Operation>): Shape[] {
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name) => existing[name] ?? "");
  const described = Object.entries(item).flatMap(([method, { requestBody }]) =>
    requestBody ? ordersOf(method.toUpperCase(), path) : [],
  );
  return [
    ...knownMethods.flatMap((method): Shape[] => [
      (invent) => noisy(invent, { method, target: path }),
      (invent) => noisy(invent, { method, target: path, headers: [`Cookie: visitor=${crypto.randomUUID()}`, subject] }),
      (invent) => noisy(invent, { method, target: template.replaceAll(/\{\w+\}/g, invent.text) }),
    ]),
    ...described,
    (invent) => noisy(invent, { method: invent.one(otherMethods), target: path }),
    (invent) => noisy(invent, { method: invent.text().toUpperCase(), target: path }),
  ];
}

const json = "Content-Type: application/json";
const key = () => `Idempotency-Key: ${crypto.randomUUID()}`;

/** Bodies for an operation that takes one: whole, of an item that is not sold, and wrong in each way there is a status for. */
function ordersOf(method: string, target: string): Shape[] {
  const write = (line: object) => JSON.stringify(target.includes("/reservations/") ? { lines: [line] } : line);
  const body = write({ item: "item1", quantity: 1 });
  return [
    () => whole({ method, target, headers: [json, key()], body }),
    () => whole({ method, target, headers: [json], body }),
    ({ text }) => whole({ method, target, headers: [json, key()], body: write({ item: text(), quantity: 1 }) }),
    ({ text }) => whole({ method, target, headers: [json, key()], body: write({ item: "item1", [text()]: text() }) }),
    ({ text }) => whole({ method, target, headers: [json, key()], body: `{${text()}` }),
    ({ text }) => whole({ method, target, headers: [`Content-Type: ${text()}/${text()}`, key()], body }),
    ({ text }) => whole({ method, target, headers: [json, `Idempotency-Key: ${text()}`], body }),
    ({ text }) => whole({ method, target, headers: [json, key()], body: text().padEnd(70_000) }),
  ];
}

const strayPaths: ((invent: Inventor) => string)[] = [
  ({ text }) => `/${text()}`,
  ({ text }) => `/${text()}/${text()}`,
  ({ text }) => `/api/${text()}`,
  ({ text }) => `/api/orders/${text()}/${text()}`,
  ({ text }) => `/metrics/${text()}`,
  ({ text }) => `//${text()}`,
  ({ text }) => `/${text()}%zz%00%ff`,
  ({ text }) => `/__proto__/${text()}`,
];

/** At no path of any function. */
const strays: Shape[] = [
  ...strayPaths.flatMap((path): Shape[] => [
    ...knownMethods.map(
      (method): Shape =>
        (invent) =>
          noisy(invent, { method, target: path(invent) }),
    ),
    (invent) => noisy(invent, { method: invent.one(otherMethods), target: path(invent) }),
    (invent) => noisy(invent, { method: invent.text(), target: path(invent) }),
  ]),
  (invent) => whole({ method: "GET", target: "/metrics", headers: [`X-Forwarded-For: ${invent.text()}`] }),
];

type Parts = { method: string; target: string; headers?: string[]; body?: string };

/** With a query, a host and headers that change no outcome. */
function noisy(invent: Inventor, { method, target, headers = [] }: Parts): RawRequest {
  const { text, below, one } = invent;
  const query = one([() => "", () => `?${text()}=${text()}`, () => `?${text()}`])();
  const noise = Array.from({ length: below(5) }, () => one(noises)(invent));
  const host = one(["shop.test", `${text()}.test`]);
  return whole({ method, target: target + query, headers: [...headers, ...noise] }, host);
}

function whole({ method, target, headers = [], body = "" }: Parts, host = "shop.test"): RawRequest {
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  return { method, target, headers: [`Host: ${host}`, ...headers, ...length], body };
}

const hex = ({ below }: Inventor, digits: number) =>
  Array.from({ length: digits }, () => below(16).toString(16)).join("");

const noises: ((invent: Inventor) => string)[] = [
  ({ text }) => `X-${text()}: ${text()}`,
  ({ text }) => `${text()}: ${text()}`,
  (invent) => `traceparent: 00-${hex(invent, 32)}-${hex(invent, 16)}-0${invent.below(2)}`,
  ({ text }) => `traceparent: ${text()}`,
  ({ text }) => `tracestate: ${text()}=${text()}`,
  ({ text }) => `baggage: ${text()}=${text()}`,
  ({ text }) => `X-Request-Id: ${text()}`,
  ({ text }) => `User-Agent: ${text()}/1.0`,
  ({ text }) => `Accept: ${text()}/*`,
  ({ text }) => `Authorization: Bearer ${text()}`,
  ({ text }) => `Referer: http://${text()}.test/${text()}`,
  ({ text }) => `Forwarded: for=${text()};host=${text()}`,
  ({ text }) => `Server-Timing: cold;dur=1;desc="${text()}"`,
  ({ text }) => `Request-Deadline: ${text()}`,
  ({ text }) => `X-HTTP-Method-Override: ${text()}`,
];
