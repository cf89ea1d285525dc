import type { Description, Operation } from "./input/openapi.ts";
import type { RawRequest } from "./kept-alive.ts";
import type { Secrets } from "./secrets.ts";

type Parts = { method: string; target: string; headers: string[]; body?: string };

/** Requests that hold the secrets wherever one has a place for them. */
export type SecretRequests = {
  /** To every operation of a function, as it should be and wrong in every way, and to nothing it has. */
  every(description: Description): RawRequest[];
  /** To each operation, as it should be. */
  good(description: Description): RawRequest[];
};

const existing = { item: "item1", id: "1", orderId: "ORDER-019cb2c4-6c1f-7d3a-9e41-5b8f0a6f2c11" };
const traceparent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const json = "Content-Type: application/json";
const tooLargeBytes = 70_000;
const goodBodies = 4;

/** At an edge some come with a whole trace of their own; of an inner function's callers all are ours, and their `tracestate` is handed on. */
export function secretRequests(secrets: Secrets, { edge }: { edge: boolean }): SecretRequests {
  const of = (name: keyof Secrets) => secrets[name].value;
  const encoded = (name: keyof Secrets) => encodeURIComponent(of(name));

  const always = [
    `Host: ${of("Host")}.test`,
    `X-Api-Key: ${of("X-Api-Key")}`,
    `Proxy-Authorization: Basic ${btoa(`proxy:${of("Proxy-Authorization")}`)}`,
    `User-Agent: ${of("User-Agent")}`,
    `Referer: https://shop.test/?token=${encoded("Referer")}`,
    `X-Forwarded-For: ${of("X-Forwarded-For")}`,
    `Forwarded: for=${of("Forwarded")}`,
    `baggage: token=${encoded("baggage")}`,
    `tracestate: a=${of("tracestate")}`,
  ];
  const known = [
    ...always,
    `Authorization: Bearer ${of("bearer token")}`,
    `Cookie: visitor=${of("visitor cookie")}; session=${of("another cookie")}`,
    `X-Request-Id: ${of("X-Request-Id")}`,
    `traceparent: ${of("traceparent")}`,
  ];
  const stranger = [
    ...always,
    `Authorization: Basic ${btoa(`user:${of("Basic password")}`)}`,
    `Cookie: session=${of("another cookie")}`,
    `Idempotency-Key: ${of("malformed Idempotency-Key")}`,
    `X-Request-Id: ${of("malformed X-Request-Id")}`,
    ...(edge ? [traceparent] : []),
  ];
  const query = `?api_key=${encoded("API key in the query")}`;
  const key = `Idempotency-Key: ${of("Idempotency-Key")}`;
  const otherKey = `Idempotency-Key: ${of("Idempotency-Key in capitals")}`;

  /** What can stand in the body of an operation that takes one; the first {@link goodBodies} fit. */
  function bodies({ requestBody }: Operation, template: string): { headers: string[]; body: string }[] {
    if (!requestBody) return [];
    const write = (line: object) => JSON.stringify(template.includes("reservations") ? { lines: [line] } : line);
    const whole = write({ item: "item1", quantity: 1 });
    const asJson = [
      write({ item: "item1", quantity: 1, note: of("unknown field of a body") }),
      write({ item: "item1", quantity: 1, [of("name of a field")]: 1 }),
      write({ item: "item1", quantity: { is: [of("nested value")] } }),
      write({ item: of("item of an order"), quantity: 1 }),
      write({ item: "item1", quantity: of("quantity of an order") }),
      `${whole.slice(0, -1)}, ${of("malformed JSON")}`,
      of("malformed JSON"),
      `{"note":${JSON.stringify(of("JSON beside invalid UTF-8"))},"item":"\xff"}`,
      of("body that is too large").padEnd(tooLargeBytes),
    ];
    return [
      { headers: [json, key], body: whole },
      { headers: [json, key], body: write({ item: "item1", quantity: 2 }) },
      { headers: [json], body: whole },
      { headers: [json, otherKey], body: write({ item: of("item that is well formed"), quantity: 1 }) },
      ...asJson.map((body) => ({ headers: [json, otherKey], body })),
      { headers: ["Content-Type: application/x-www-form-urlencoded", key], body: `token=${encoded("form field")}` },
      { headers: [`Content-Type: multipart/form-data; boundary=${of("boundary of a form")}`, key], body: whole },
    ];
  }

  function ask(template: string, method: string, operation: Operation): Parts[] {
    const path = fill(template, existing);
    const targets = [
      path + query,
      `${path}${query}&limit=1&cursor=${encoded("value in the cursor")}`,
      fill(template, { ...existing, item: of("item that is well formed") }) + query,
      template.replaceAll(/\{\w+\}/g, encoded("parameter in a path")) + query,
      `${path}/${encoded("parameter below a route")}${query}`,
    ];
    return [
      ...targets.flatMap((target) => [known, stranger].map((headers) => ({ method, target, headers }))),
      ...["DELETE", of("method of a request")].map((other) => ({
        method: other,
        target: path + query,
        headers: known,
      })),
      ...bodies(operation, template).map(({ headers, body }) => {
        return { method, target: path + query, headers: [...known, ...headers], body };
      }),
    ];
  }

  const strays = ["/", "/api/", "/orders/x/", "/metrics/"].flatMap((path) =>
    ["GET", "POST"].map((method) => ({ method, target: path + encoded("path of no route") + query, headers: known })),
  );

  return {
    every: (description) => [...operationsOf(description).flatMap((one) => ask(...one)), ...strays].map(framed),
    good: (description) =>
      operationsOf(description).flatMap(([template, method, operation]) => {
        const [...parts] = bodies(operation, template).slice(0, goodBodies);
        if (parts.length === 0) parts.push({ headers: [], body: "" });
        return parts.map(({ headers, body }) =>
          framed({ method, target: fill(template, existing) + query, headers: [...known, ...headers], body }),
        );
      }),
  };
}

const operationsOf = ({ paths }: Description): [template: string, method: string, operation: Operation][] =>
  Object.entries(paths).flatMap(([template, item]) =>
    Object.entries(item).map(([method, operation]): [string, string, Operation] => [
      template,
      method.toUpperCase(),
      operation,
    ]),
  );

const fill = (template: string, values: Record<string, string>): string =>
  template.replaceAll(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

function framed({ method, target, headers, body = "" }: Parts): RawRequest {
  return { method, target, headers: body === "" ? headers : [...headers, `Content-Length: ${body.length}`], body };
}
