import { createHash } from "node:crypto";
import { Product, Products, Stock } from "@shop/inventory/contract";
import {
  idempotencyKeyHeader,
  Order,
  OrderAccepted,
  OrderPage,
  OrderPlaced,
  type PageQuery,
  type PlaceOrder,
  replayedHeader,
  subjectHeader,
} from "@shop/orders/contract";
import type { Call } from "@shop/platform/call";
import type { Peer } from "@shop/platform/client";
import { User, Users } from "@shop/users/contract";
import * as v from "valibot";
import { VisitorSecret } from "./contract.ts";

export type Service = ReturnType<typeof createService>;

const getAttemptsMax = 3;

/** What the public may ask, and which function answers it. */
export function createService({ orders, inventory, users }: { orders: Peer; inventory: Peer; users: Peer }) {
  return {
    placeOrder: (order: PlaceOrder, key: string, visitor: string | undefined, call: Call) =>
      orders.request(
        {
          method: "POST",
          path: "/orders",
          headers: { [idempotencyKeyHeader]: key, ...subjectOf(visitor) },
          body: order,
          answers: { 201: OrderPlaced, 202: OrderAccepted },
          problemHeaders: [replayedHeader],
        },
        call,
      ),

    order: (orderId: string, visitor: string | undefined, call: Call) =>
      get(orders, `/orders/${orderId}`, Order, call, subjectOf(visitor)),

    orders: ({ limit, cursor }: PageQuery, visitor: string | undefined, call: Call) =>
      get(
        orders,
        `/orders?${new URLSearchParams({ limit, ...(cursor && { cursor }) })}`,
        OrderPage,
        call,
        subjectOf(visitor),
      ),

    inventory: (call: Call) => get(inventory, "/inventory", Stock, call),
    products: (call: Call) => get(inventory, "/products", Products, call),
    product: (item: string, call: Call) => get(inventory, `/products/${item}`, Product, call),
    users: (call: Call) => get(users, "/users", Users, call),
    user: (id: string, call: Call) => get(users, `/users/${id}`, User, call),
  };
}

async function get<S extends v.GenericSchema>(
  peer: Peer,
  path: string,
  schema: S,
  call: Call,
  headers: Record<string, string> = {},
): Promise<v.InferOutput<S>> {
  const { body } = await peer.request(
    { method: "GET", path, headers, answers: { 200: schema }, attemptsMax: getAttemptsMax },
    call,
  );
  return body;
}

/** The visitor's secret ends here: inward goes its hash. A malformed one counts as none. */
function subjectOf(visitor: string | undefined): Record<string, string> {
  if (!v.is(VisitorSecret, visitor)) return {};
  return { [subjectHeader]: createHash("sha256").update(visitor.toLowerCase()).digest("hex") };
}
