import * as v from "valibot";

/** ISO 4217; every amount of the shop is an integer in its minor units. */
export const currency = "EUR";

/** Identifies an item. */
export const Item = v.pipe(v.string(), v.regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/));

/** How many units one line may ask for. */
export const Quantity = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000));

/** One line of an order, before it has a price. */
export const Line = v.strictObject({ item: Item, quantity: Quantity });
export type Line = v.InferOutput<typeof Line>;

/** The lines of one order. */
export const Lines = v.pipe(v.array(Line), v.minLength(1), v.maxLength(50));

const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Available units per item. */
export const Stock = v.record(v.string(), Count);
export type Stock = v.InferOutput<typeof Stock>;

export const Product = v.object({ item: Item, name: v.string(), price: Count, currency: v.string(), available: Count });
export type Product = v.InferOutput<typeof Product>;
export const Products = v.object({ products: v.array(Product) });

/** Identifies an order: `ORDER-` and a UUIDv7 (RFC 9562 §5.7). */
export const OrderId = v.pipe(
  v.string(),
  v.regex(/^ORDER-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
);

export const ReserveRequest = v.strictObject({ lines: Lines });

/** Why nothing was reserved: the first item, in item order, that could not be. */
export const RefusalReason = v.object({ code: v.picklist(["out_of_stock", "unknown_item"]), item: Item });
export type RefusalReason = v.InferOutput<typeof RefusalReason>;

/** What an item costs within a granted reservation. */
export const UnitPrice = v.object({ item: Item, unitPrice: Count });
export type UnitPrice = v.InferOutput<typeof UnitPrice>;

/** Inventory's one answer to one order. */
export const Outcome = v.variant("outcome", [
  v.object({ outcome: v.literal("granted"), prices: v.array(UnitPrice), currency: v.string() }),
  v.object({ outcome: v.literal("refused"), reason: RefusalReason }),
]);
export type Outcome = v.InferOutput<typeof Outcome>;
