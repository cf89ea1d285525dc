import { Item, Line, Lines, OrderId, Quantity } from "@shop/inventory/contract";
import * as v from "valibot";

export { OrderId };

/** What a customer sends: several lines, or the short form of one. */
export const PlaceOrder = v.union([
  v.strictObject({ item: Item, quantity: Quantity }),
  v.strictObject({ lines: Lines }),
]);
export type PlaceOrder = v.InferOutput<typeof PlaceOrder>;

/** One key is one order, for ever: whoever got no answer asks again with it. */
export const IdempotencyKey = v.pipe(v.string(), v.uuid());
export const idempotencyKeyHeader = "Idempotency-Key";

/** Set on an answer of an order that an earlier request had placed. */
export const replayedHeader = "Idempotent-Replayed";

/** Who asks, as the gateway knows it: the SHA-256 of the visitor's secret, in hexadecimal; absent for anonymous. */
export const subjectHeader = "Visitor-Subject";
export const Subject = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const Amount = v.pipe(v.number(), v.integer(), v.minValue(0));
const PricedLine = v.object({ item: Item, quantity: Quantity, unitPrice: Amount });

/** 201: the stock is taken and the prices are fixed. */
export const OrderPlaced = v.object({
  success: v.literal(true),
  orderId: OrderId,
  message: v.string(),
  status: v.literal("CONFIRMED"),
  lines: v.array(PricedLine),
  total: Amount,
  currency: v.string(),
});

/** 202: the order is kept and will be settled. */
export const OrderAccepted = v.object({
  success: v.literal(true),
  orderId: OrderId,
  message: v.string(),
  status: v.literal("PENDING"),
  lines: v.array(Line),
});

const orderEntries = { orderId: OrderId, createdAt: v.pipe(v.string(), v.isoTimestamp()) };

/** An order as it is read back. */
export const Order = v.variant("status", [
  v.object({ ...orderEntries, status: v.literal("PENDING"), lines: v.array(Line) }),
  v.object({
    ...orderEntries,
    status: v.literal("CONFIRMED"),
    lines: v.array(PricedLine),
    total: Amount,
    currency: v.string(),
  }),
  v.object({ ...orderEntries, status: v.literal("REJECTED"), lines: v.array(Line), reason: v.string() }),
]);
export type Order = v.InferOutput<typeof Order>;

/** A page of the visitor's orders, newest first; `nextCursor` asks for the following one. */
export const OrderPage = v.object({ orders: v.array(Order), nextCursor: v.optional(OrderId) });
export type OrderPage = v.InferOutput<typeof OrderPage>;

/** The query of a page. */
export const PageQuery = v.object({
  limit: v.optional(v.pipe(v.string(), v.regex(/^(?:[1-9]\d?|100)$/, "should be an integer from 1 to 100")), "20"),
  cursor: v.optional(OrderId),
});
export type PageQuery = v.InferOutput<typeof PageQuery>;
