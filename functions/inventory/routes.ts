import { databaseProblems, input, jsonInput, jsonProblems, operation } from "@shop/platform/api";
import type { App } from "@shop/platform/app";
import * as v from "valibot";
import { Item, OrderId, Outcome, Product, Products, ReserveRequest, Stock } from "./contract.ts";
import type { Service } from "./service.ts";

export function addRoutes(app: App, { service }: { service: Service }): App {
  app.get(
    "/inventory",
    operation({
      summary: "Available units per item",
      answers: { 200: Stock },
      problems: databaseProblems,
    }),
    async (c) => c.json(await service.stock(c.var.call)),
  );

  app.get(
    "/products",
    operation({ summary: "All products", answers: { 200: Products }, problems: databaseProblems }),
    async (c) => c.json({ products: await service.products(c.var.call) }),
  );

  app.get(
    "/products/:item",
    operation({
      summary: "One product",
      answers: { 200: Product },
      problems: ["invalid", "not_found", ...databaseProblems],
    }),
    input("param", v.object({ item: Item })),
    async (c) => c.json(await service.product(c.req.valid("param").item, c.var.call)),
  );

  app.put(
    "/reservations/:orderId",
    operation({
      summary: "Reserve an order's lines, all or none; one order has one outcome for ever",
      answers: { 200: Outcome },
      problems: [...jsonProblems, "key_reused", ...databaseProblems],
    }),
    input("param", v.object({ orderId: OrderId })),
    jsonInput(ReserveRequest),
    async (c) => {
      const { orderId } = c.req.valid("param");
      return c.json(await service.reserve(orderId, c.req.valid("json").lines, c.var.call));
    },
  );

  return app;
}
