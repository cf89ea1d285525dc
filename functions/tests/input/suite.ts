import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { placeOrder } from "../customer.ts";
import { openScene, type Scene } from "../scene.ts";
import { seed } from "../seed.ts";
import type { FunctionName } from "../shop.ts";
import { answerFault } from "./answer.ts";
import type { Description } from "./openapi.ts";
import { type Attempt, attempts, oddAttempts, send } from "./request.ts";

const visitor = crypto.randomUUID();

/** Half of all requests come from the visitor whose order is known, the others with one of these. */
const usual = { Cookie: `visitor=${visitor}` };
const others = [
  {},
  { traceparent: "00-zz" },
  { traceparent: "x".repeat(1000) },
  { "X-Request-Id": "<script>" },
  { "X-Request-Id": "x".repeat(1000) },
  { "Request-Deadline": "soon" },
  { "Request-Deadline": "-1" },
  { "Request-Deadline": "9".repeat(13) },
  { "Request-Deadline": "9".repeat(400) },
  { Cookie: `visitor=${visitor}; visitor=x` },
  { Cookie: "visitor=; ;;=;%zz" },
  { Accept: "text/html" },
  { "Accept-Encoding": "br;q=x, *" },
  { "Content-Encoding": "gzip" },
  { "X-HTTP-Method-Override": "DELETE" },
  { "X-Forwarded-For": "127.0.0.1" },
  { Range: "bytes=0-0" },
  { "If-None-Match": "*" },
  { Origin: "null" },
];
/** A deadline that is over: only inside it counts, where it is a peer's. */
const late = { "Request-Deadline": "1000000000000" };

/** What hardly any input gives: a fault elsewhere does, or a client's cache. */
const rare = [202, 304, 429];

/** Of all generated requests some go to another method of the path. */
const otherMethodsMargin = 1.3;

const page = { get: { responses: { 200: {} } } };
const asset = { get: { responses: { 200: {}, 304: {} } } };
const pages: Description = {
  paths: {
    "/": page,
    "/docs": page,
    "/docs/problems": page,
    "/page.js": asset,
    "/page.css": asset,
    "/icon.svg": asset,
  },
};

/** Asks every operation that a running function describes, with `runs` generated requests each. */
export function describeInput({ runs }: { runs: number }): void {
  describe(`whatever a function is asked, ${runs} times an operation, it answers as described and never with a 5xx`, () => {
    let scene: Scene;
    let known: string[];

    before(async () => {
      scene = await openScene();
      const { key, orderId = "" } = await placeOrder(scene.shop.gatewayUrl, {
        headers: { Cookie: `visitor=${visitor}` },
      });
      const subject = createHash("sha256").update(visitor).digest("hex");
      known = ["item1", "item2", "item3", "1", "2", subject, key, orderId];
    });
    after(() => scene.close());

    async function ask(name: FunctionName, description: Description): Promise<void> {
      const { urls } = scene.shop;
      const edge = name === "gateway" || name === "frontend";
      const given = { known, usual, others: edge ? [...others, late] : others };
      await Promise.all(
        Object.entries(description.paths).flatMap(([template, item]) =>
          Object.entries(item).map(async ([method, { responses }]) => {
            const seen = new Set<number>();
            let asked = 0;
            const property = fc.asyncProperty(attempts(description, template, method, given), async (attempt) => {
              const reply = await send(urls[name], attempt);
              assert.equal(answerFault(description, attempt, reply), undefined, `${reply.status} ${reply.text}`);
              seen.add(reply.status);
              if (attempt.method === method.toUpperCase()) asked += 1;
            });
            const examples = oddAttempts(description, template, method, given).map((attempt): [Attempt] => [attempt]);
            await fc.assert(property, {
              examples,
              numRuns: examples.length + Math.ceil(runs * otherMethodsMargin),
              seed,
            });
            assert.ok(asked >= runs, `${method} ${template} was asked ${asked} times`);
            // Requests that never reach an answer prove little about it.
            const missed = Object.keys(responses)
              .map(Number)
              .filter((status) => status < 500 && !rare.includes(status) && !seen.has(status));
            assert.deepEqual(missed, [], `answers of ${method} ${template} never seen`);
          }),
        ),
      );
      assert.equal((await fetch(`${urls[name]}/healthz`)).status, 200);
    }

    const describedBy = async (name: FunctionName): Promise<Description> =>
      (await (await fetch(`${scene.shop.urls[name]}/openapi.json`)).json()) as Description;

    for (const name of ["inventory", "orders", "users", "gateway"] as const) {
      it(name, async () => ask(name, await describedBy(name)));
    }
    it("the gateway through the frontend", async () => ask("frontend", await describedBy("frontend")));
    it("the frontend's pages", () => ask("frontend", pages));
  });
}
