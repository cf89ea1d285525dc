import type { Line, Outcome, RefusalReason, UnitPrice } from "@shop/inventory/contract";
import type { Call } from "@shop/platform/call";

type Kept = { id: string; subject: string; bodySha256: string; lines: Line[]; createdAt: Date };
export type PendingOrder = Kept & { status: "PENDING" };
export type ConfirmedOrder = Kept & { status: "CONFIRMED"; prices: UnitPrice[]; total: number; currency: string };
export type RejectedOrder = Kept & { status: "REJECTED"; reason: RefusalReason };
/** An order as the database keeps it. */
export type OrderRow = PendingOrder | ConfirmedOrder | RejectedOrder;

export type NewOrder = Pick<Kept, "id" | "subject" | "bodySha256" | "lines"> & { key: string };
export type Settlement =
  | Extract<Outcome, { outcome: "refused" }>
  | (Extract<Outcome, { outcome: "granted" }> & { total: number });

/** What the service needs of the database. */
export type Store = {
  /** Keeps the order unless its key has one already; either way the order of the key, and whether it is the new one. */
  place(order: NewOrder, call: Call): Promise<{ order: OrderRow; created: boolean }>;
  /** Settles the order if it is still pending; its row afterwards, and whether it was this call that did. */
  settle(id: string, settlement: Settlement, call: Call): Promise<{ order: OrderRow; settled: boolean }>;
  find(id: string, call: Call): Promise<OrderRow | undefined>;
  /** Newest first, older than `cursor`. */
  ofSubject(subject: string, limit: number, cursor: string | undefined, call: Call): Promise<OrderRow[]>;
  /** Oldest first, younger than `after`. */
  pending(limit: number, after: string, call: Call): Promise<PendingOrder[]>;
  /** Runs `work` unless another process does so already; whether it ran. */
  exclusively(work: () => Promise<void>): Promise<boolean>;
};
