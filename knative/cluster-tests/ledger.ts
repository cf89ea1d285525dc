import { type Ledger, openLedger } from "../../functions/tests/invariant.ts";
import { openWay } from "./api.ts";
import { namespace } from "./environment.ts";

/** The shop's books, read in the cluster's database, with a shelf that no load empties. */
export async function openStockedLedger(): Promise<Ledger & AsyncDisposable> {
  const service = ["port-forward", `--namespace=${namespace}`, "service/postgres", ":5432"];
  const postgres = await openWay("PostgreSQL", ...service);
  // The credentials that the local environment throws away.
  const url = (owner: string) => ({ url: `postgres://${owner}:throw-away@${postgres.address}/${owner}` });
  const ledger = openLedger({ inventory: url("inventory"), orders: url("orders") });
  await ledger.restock(100_000);
  return {
    ...ledger,
    async [Symbol.asyncDispose]() {
      await ledger.close();
      await postgres[Symbol.asyncDispose]();
    },
  };
}
