import { databaseProblems, input, jsonInput, jsonProblems, operation } from "@shop/platform/api";
import type { App } from "@shop/platform/app";
import { Problem } from "@shop/platform/problem";
import * as v from "valibot";
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
  Subject,
  subjectHeader,
} from "./contract.ts";
import { anonymous, type OrderRow, priceLines, type RejectedOrder, type Service } from "./service.ts";

const subjectEntry = { [subjectHeader.toLowerCase() as "visitor-subject"]: v.optional(Subject) };
const SubjectHeaders = v.object(subjectEntry);
const PlaceHeaders = v.object({
  ...subjectEntry,
  [idempotencyKeyHeader.toLowerCase() as "idempotency-key"]: IdempotencyKey,
});

export function addRoutes(app: App, { service }: { service: Service }): App {
  app.post(
    "/orders",
    operation({
      summary: "Place an order, or drive on the one this key has",
      answers: { 201: OrderPlaced, 202: OrderAccepted },
      problems: [...jsonProblems, "out_of_stock", "unknown_item", "key_reused", ...databaseProblems],
    }),
    input("header", PlaceHeaders),
    jsonInput(PlaceOrder),
    async (c) => {
      const headers = c.req.valid("header");
      const { order, replayed } = await service.place(
        c.req.valid("json"),
        headers["idempotency-key"],
        headers["visitor-subject"] ?? anonymous,
        c.var.call,
      );
      if (replayed) c.header(replayedHeader, "true");
      if (order.status === "REJECTED") throw refusal(order);
      c.header("Location", `orders/${order.id}`);
      if (order.status === "PENDING") {
        const { id, status, lines } = order;
        return c.json({ success: true, orderId: id, message: "Order accepted, not settled yet.", status, lines }, 202);
      }
      const { id, status, lines, prices, total, currency } = order;
      const priced = priceLines(lines, prices);
      return c.json(
        { success: true, orderId: id, message: "Order placed!", status, lines: priced, total, currency },
        201,
      );
    },
  );

  app.get(
    "/orders",
    operation({
      summary: "The visitor's orders, newest first",
      answers: { 200: OrderPage },
      problems: ["invalid", "unauthenticated", ...databaseProblems],
    }),
    input("header", SubjectHeaders),
    input("query", PageQuery),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const subject = c.req.valid("header")["visitor-subject"] ?? anonymous;
      const rows = await service.page(subject, Number(limit), cursor, c.var.call);
      const last = rows.length === Number(limit) ? rows.at(-1) : undefined;
      return c.json({ orders: rows.map(toOrder), ...(last && { nextCursor: last.id }) });
    },
  );

  app.get(
    "/orders/:orderId",
    operation({
      summary: "One order",
      answers: { 200: Order },
      problems: ["invalid", "not_found", ...databaseProblems],
    }),
    input("param", v.object({ orderId: OrderId })),
    input("header", SubjectHeaders),
    async (c) => {
      const { orderId } = c.req.valid("param");
      const subject = c.req.valid("header")["visitor-subject"] ?? anonymous;
      return c.json(toOrder(await service.find(orderId, subject, c.var.call)));
    },
  );

  return app;
}

function toOrder(order: OrderRow): Order {
  const { id: orderId, lines } = order;
  const createdAt = order.createdAt.toISOString();
  switch (order.status) {
    case "PENDING":
      return { orderId, createdAt, status: order.status, lines };
    case "CONFIRMED": {
      const { status, prices, total, currency } = order;
      return { orderId, createdAt, status, lines: priceLines(lines, prices), total, currency };
    }
    case "REJECTED":
      return { orderId, createdAt, status: order.status, lines, reason: order.reason.code };
  }
}

/** Names the line and not the item, which came from the customer. */
function refusal({ id, lines, reason }: RejectedOrder): Problem {
  const line = lines.findIndex(({ item }) => item === reason.item);
  const detail =
    reason.code === "out_of_stock"
      ? `lines[${line}].quantity is more than is in stock`
      : `lines[${line}].item is not sold here`;
  return new Problem(reason.code, detail, { members: { orderId: id } });
}
