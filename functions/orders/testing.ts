import type { Line, Outcome } from "@shop/inventory/contract";
import { type App, createApp } from "@shop/platform/app";
import { createPeer, type Peer } from "@shop/platform/client";
import { createDatabase, type Database } from "@shop/platform/database";
import { Problem, problemMediaType } from "@shop/platform/problem";
import { aborted, freshDatabase, testTelemetry } from "@shop/platform/testing";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";
import type { Store } from "./store.ts";

type OrdersOptions = {
  inventory: Peer;
  connectionsMax?: number;
  createStore?: (database: Database) => Store;
};

/** Orders on a fresh database, wired as `main.ts` does it. */
export async function openOrders({ inventory, connectionsMax = 5, createStore: create = createStore }: OrdersOptions) {
  const { url, drop } = await freshDatabase("orders");
  const telemetry = testTelemetry({ service: "orders" });
  const { log, metrics } = telemetry;
  const database = createDatabase({ url, log, connectionsMax });
  const store = create(database);
  const service = createService({ store, inventory, metrics });

  const openApp = ({ timeoutMs = 10_000, on = service, telemetry = testTelemetry() } = {}): App => {
    const info = { title: "orders", description: "Orders." };
    return addRoutes(createApp({ telemetry, info, timeoutMs }), { service: on });
  };

  return {
    url,
    database,
    store,
    service,
    app: openApp({ telemetry }),
    openApp,
    /** What it has told. */
    telemetry,
    async close(): Promise<void> {
      await database.close();
      await drop();
    },
  };
}

export type Orders = Awaited<ReturnType<typeof openOrders>>;

type Asked = { method: string; path: string; body: { lines: Line[] } };
type Answer = (asked: Asked, request: Request) => Response | Promise<Response>;

/** Inventory as a test wants it to answer, read by the real client. */
export function fakeInventory() {
  const asked: Asked[] = [];
  let answer: Answer = granting();
  const peer = createPeer({
    name: "inventory",
    baseUrl: "http://inventory.test",
    metrics: testTelemetry().metrics,
    async fetch(request) {
      const { method, url } = request;
      const one = { method, path: new URL(url).pathname, body: (await request.clone().json()) as Asked["body"] };
      asked.push(one);
      return answer(one, request);
    },
  });
  return {
    peer,
    /** Every request so far. */
    asked,
    answers(next: Answer) {
      answer = next;
    },
  };
}

const outcome = (body: Outcome) => Response.json(body);

/** Grants whatever is asked, each item at `unitPrice`. */
export function granting(unitPrice = 100): Answer {
  return ({ body }) => {
    const items = [...new Set(body.lines.map(({ item }) => item))];
    return outcome({ outcome: "granted", prices: items.map((item) => ({ item, unitPrice })), currency: "EUR" });
  };
}

export function refusing(code: "out_of_stock" | "unknown_item", item: string): Answer {
  return () => outcome({ outcome: "refused", reason: { code, item } });
}

/** Answers with a problem of its own, which a client does not ask again for. */
export const failing: Answer = () => {
  const problem = new Problem("internal", "something went wrong here");
  return Response.json(problem.body("0"), { status: problem.status, headers: { "Content-Type": problemMediaType } });
};

/** Never answers; ends with the request. */
export const hanging: Answer = async (_, { signal }) => {
  await aborted(signal);
  throw signal.reason;
};
