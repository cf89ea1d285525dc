import { Item, Product, Products, Stock } from "@shop/inventory/contract";
import {
  IdempotencyKey,
  idempotencyKeyHeader,
  Order,
  OrderAccepted,
  OrderId,
  OrderPage,
  OrderPlaced,
  PageQuery,
  PlaceOrder,
  replayedHeader,
} from "@shop/orders/contract";
import { input, jsonInput, jsonProblems, operation } from "@shop/platform/api";
import type { App } from "@shop/platform/app";
import type { ProblemCode } from "@shop/platform/problem";
import { User, UserId, Users } from "@shop/users/contract";
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import * as v from "valibot";
import { visitorCookie } from "./contract.ts";
import type { Service } from "./service.ts";

const peerProblems: ProblemCode[] = ["too_many_requests", "bad_gateway", "unavailable", "deadline_exceeded"];
const KeyHeader = v.object({
  [idempotencyKeyHeader.toLowerCase() as "idempotency-key"]: v.optional(IdempotencyKey),
});

export function addRoutes(app: App, { service }: { service: Service }): App {
  app.post(
    "/api/orders",
    operation({
      summary: "Place an order; repeat it with the returned Idempotency-Key when no answer came",
      answers: { 201: OrderPlaced, 202: OrderAccepted },
      problems: [...jsonProblems, "out_of_stock", "unknown_item", "key_reused", ...peerProblems],
    }),
    input("header", KeyHeader),
    (c, next) => {
      // On every reply, errors too: whoever got no order from this one can ask again with its key.
      c.header(idempotencyKeyHeader, c.req.valid("header")["idempotency-key"] ?? crypto.randomUUID());
      return next();
    },
    jsonInput(PlaceOrder),
    async (c) => {
      const key = c.res.headers.get(idempotencyKeyHeader) as string;
      const answer = await service.placeOrder(c.req.valid("json"), key, visitorOf(c), c.var.call);
      for (const name of ["Location", replayedHeader]) {
        const value = answer.headers.get(name);
        if (value !== null) c.header(name, value);
      }
      return c.json(answer.body, answer.status);
    },
  );

  app.get(
    "/api/orders",
    operation({
      summary: "The visitor's orders, newest first",
      answers: { 200: OrderPage },
      problems: ["invalid", "unauthenticated", ...peerProblems],
    }),
    input("query", PageQuery),
    async (c) => c.json(await service.orders(c.req.valid("query"), visitorOf(c), c.var.call)),
  );

  app.get(
    "/api/orders/:orderId",
    operation({
      summary: "One order",
      answers: { 200: Order },
      problems: ["invalid", "not_found", ...peerProblems],
    }),
    input("param", v.object({ orderId: OrderId })),
    async (c) => c.json(await service.order(c.req.valid("param").orderId, visitorOf(c), c.var.call)),
  );

  app.get(
    "/api/inventory",
    operation({ summary: "Available units per item", answers: { 200: Stock }, problems: peerProblems }),
    async (c) => c.json(await service.inventory(c.var.call)),
  );

  app.get(
    "/api/products",
    operation({ summary: "All products", answers: { 200: Products }, problems: peerProblems }),
    async (c) => c.json(await service.products(c.var.call)),
  );

  app.get(
    "/api/products/:item",
    operation({
      summary: "One product",
      answers: { 200: Product },
      problems: ["invalid", "not_found", ...peerProblems],
    }),
    input("param", v.object({ item: Item })),
    async (c) => c.json(await service.product(c.req.valid("param").item, c.var.call)),
  );

  app.get(
    "/api/users",
    operation({ summary: "All users", answers: { 200: Users }, problems: peerProblems }),
    async (c) => c.json(await service.users(c.var.call)),
  );

  app.get(
    "/api/users/:id",
    operation({ summary: "One user", answers: { 200: User }, problems: ["invalid", "not_found", ...peerProblems] }),
    input("param", v.object({ id: UserId })),
    async (c) => c.json(await service.user(c.req.valid("param").id, c.var.call)),
  );

  return app;
}

const visitorOf = (c: Context) => getCookie(c, visitorCookie);
