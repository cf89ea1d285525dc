import type { Call } from "@shop/platform/call";
import type { Metrics } from "@shop/platform/metrics";
import { Problem } from "@shop/platform/problem";
import type { User } from "./contract.ts";
import type { Store } from "./store.ts";

export type Service = ReturnType<typeof createService>;

/** The rules of the users. */
export function createService({ store, metrics }: { store: Store; metrics: Metrics }) {
  const registered = metrics.gauge("users_registered");

  return {
    async users(call: Call): Promise<User[]> {
      const users = await store.users(call);
      registered.set(users.length);
      return users;
    },

    async user(id: number, call: Call): Promise<User> {
      const user = await store.user(id, call);
      if (!user) throw new Problem("not_found", "there is no such user");
      return user;
    },
  };
}
