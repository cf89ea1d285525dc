import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import type { Line } from "@shop/inventory/contract";
import { listen } from "@shop/platform/testing";

type Fault = (response: ServerResponse) => void;

/** What stands between two functions may answer anything instead of the peer. */
export const faults: readonly [name: string, fault: Fault][] = [
  ["404 as text", (response) => response.writeHead(404, text).end("404 page not found")],
  ["502 as HTML", (response) => response.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad Gateway</h1>")],
  ["503 as text, without Retry-After", (response) => response.writeHead(503, text).end("no healthy upstream")],
  ["200 without a body", (response) => response.writeHead(200).end()],
  ["200 as text", (response) => response.writeHead(200, text).end("granted")],
  ["200 of another contract", (response) => response.writeHead(200, json200).end('{"outcome":"granted"}')],
  ["200 without the prices", (response) => response.writeHead(200, json200).end(granted([]))],
  ["a redirect", (response) => response.writeHead(307, { Location: "/reservations" }).end()],
  ["a connection reset", (response) => response.socket?.resetAndDestroy()],
  [
    "a connection closed within the body",
    (response) => response.writeHead(200, json200).write('{"outcome":', () => response.socket?.destroy()),
  ],
  ["a body that never ends", (response) => response.writeHead(200, json200).write('{"outcome":')],
];

const text = { "Content-Type": "text/plain" };
const json200 = { "Content-Type": "application/json" };
const granted = (prices: unknown[]) => JSON.stringify({ outcome: "granted", currency: "EUR", prices });

/**
 * A proxy before inventory at `target`. Until it is mended an order's quantity says how it is broken: quantity n has fault n - 1;
 * above the number of faults they start again, but then inventory is asked first and only its answer is lost.
 */
export async function openFaultyProxy(target: string) {
  let broken = true;

  const server = await listen(async (request: IncomingMessage, response: ServerResponse) => {
    const body = (await json(request)) as { lines: Line[] };
    const index = (body.lines[0]?.quantity ?? 1) - 1;
    const fault = broken ? faults[index % faults.length]?.[1] : undefined;
    if (fault && index < faults.length) return fault(response);
    const answer = await fetch(`${target}${request.url}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answered = await answer.text();
    if (fault) return fault(response);
    response.writeHead(answer.status, { "Content-Type": answer.headers.get("Content-Type") ?? "" }).end(answered);
  });

  return {
    url: server.url,
    mend() {
      broken = false;
    },
    close: () => server[Symbol.asyncDispose](),
  };
}
