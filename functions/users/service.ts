import type { Call } from "@shop/platform/call";
import { Problem } from "@shop/platform/problem";
import type { User } from "./contract.ts";
import type { Store } from "./store.ts";

export type Service = ReturnType<typeof createService>;

/** The rules of the users. */
export function createService({ store }: { store: Store }) {
  return {
    users: store.users,

    async user(id: number, call: Call): Promise<User> {
      const user = await store.user(id, call);
      if (!user) throw new Problem("not_found", "there is no such user");
      return user;
    },
  };
}
