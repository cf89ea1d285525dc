import { type Ledger, openLedger } from "../../functions/tests/invariant.ts";
import { openTunnel } from "./api.ts";
import { namespace } from "./environment.ts";

/** A tunnel to the cluster's database, whose local credentials are there to be thrown away. */
export async function openDatabases(): Promise<AsyncDisposable & { urlOf(owner: string): string }> {
  const service = ["port-forward", `--namespace=${namespace}`, "service/postgres", ":5432"];
  const tunnel = await openTunnel("PostgreSQL", ...service);
  return {
    urlOf: (owner) => `postgres://${owner}:throw-away@${tunnel.address}/${owner}`,
    [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose](),
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
