import { type Ledger, openLedger } from "../../functions/tests/invariant.ts";
import { openWay } from "./api.ts";
import { namespace } from "./environment.ts";

/** A way to the cluster's database, whose local credentials are there to be thrown away. */
export async function openDatabases(): Promise<AsyncDisposable & { urlOf(owner: string): string }> {
  const service = ["port-forward", `--namespace=${namespace}`, "service/postgres", ":5432"];
  const way = await openWay("PostgreSQL", ...service);
  return {
    urlOf: (owner) => `postgres://${owner}:throw-away@${way.address}/${owner}`,
    [Symbol.asyncDispose]: () => way[Symbol.asyncDispose](),
  };
}

/** The shop's books, with a shelf that no load empties. */
export async function openStockedLedger(): Promise<Ledger & AsyncDisposable> {
  const databases = await openDatabases();
  const url = (owner: string) => ({ url: databases.urlOf(owner) });
  const ledger = openLedger({ inventory: url("inventory"), orders: url("orders") });
  await ledger.restock(100_000);
  return {
    ...ledger,
    async [Symbol.asyncDispose]() {
      await ledger.close();
      await databases[Symbol.asyncDispose]();
    },
  };
}
