import type { Call } from "@shop/platform/call";
import type { User } from "./contract.ts";

/** What the service needs of the database. */
export type Store = {
  users(call: Call): Promise<User[]>;
  user(id: number, call: Call): Promise<User | undefined>;
};
