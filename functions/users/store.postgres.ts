import { type Database, transaction } from "@shop/platform/database";
import type { Store } from "./store.ts";

export function createStore(database: Database): Store {
  return {
    users: (call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query("select id, name from users order by id");
        return rows;
      }),

    user: (id, call) =>
      transaction(database, call, async (tx) => {
        const { rows } = await tx.query("select id, name from users where id = $1", [id]);
        return rows[0];
      }),
  };
}
