import pg from "pg";
import { type Call, orAborted } from "./call.ts";
import type { Attributes } from "./catalogue.ts";
import type { Logger } from "./log.ts";
import { Problem } from "./problem.ts";
import type { Trace } from "./trace.ts";

/** A pool of connections to this function's own database. */
export type Database = {
  readonly pool: pg.Pool;
  /** What every span of it says. */
  readonly attributes: Attributes;
  close(): Promise<void>;
};

/** What the work of a {@link transaction} may do. */
export type Transaction = {
  // biome-ignore lint/suspicious/noExplicitAny: as pg has it; a store knows its columns
  query<R extends pg.QueryResultRow = any>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
};

type DatabaseOptions = { url: string; log: Logger; connectionsMax?: number };

const connectTimeoutMs = 3_000;
const connectionIdleMs = 10_000;
/** Above every deadline: for what runs outside a {@link transaction}, so that no server gone silent holds a program for ever. */
const queryTimeoutMs = 12_000;
const retryAfterS = 1;

/** Opens nothing yet: the first {@link transaction} connects, so a function starts without its database. */
export function createDatabase({ url, log, connectionsMax = 5 }: DatabaseOptions): Database {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, parseSafeInteger);
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: connectionIdleMs,
    query_timeout: queryTimeoutMs,
    types,
  });
  pool.on("error", (err) => log.warn({ err }, "database connection lost"));
  return { pool, attributes: describeServer(url), close: () => pool.end() };
}

function describeServer(url: string): Attributes {
  const { hostname, port, pathname } = new URL(url);
  return {
    "db.system.name": "postgresql",
    "db.namespace": decodeURIComponent(pathname.slice(1)),
    "server.address": hostname,
    "server.port": Number(port || 5432),
  };
}

/**
 * Runs `work` in one transaction that ends with the call: committed when `work` returns before `call.signal` aborts, else
 * rolled back. The server's own timeouts hold the deadline; a caller gone away closes the connection, which the server notices
 * within a quarter second. Throws {@link Problem} `unavailable` when the database is away, `deadline_exceeded` past the deadline.
 */
export async function transaction<T>(
  database: Database,
  call: Pick<Call, "signal" | "deadlineMs" | "trace">,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await connectTraced(database, call);
  let lost: Error | undefined;
  let released = false;
  const release = (error?: Error) => {
    if (released) return;
    released = true;
    client.release(error);
  };
  // Releasing with an error destroys the socket, so a query in flight rejects even when the server is frozen.
  const abandon = () => {
    lost = new Error("the call has ended");
    release(lost);
  };
  const onError = (error: Error) => {
    lost ??= error;
  };
  client.on("error", onError);
  call.signal.addEventListener("abort", abandon, { once: true });
  try {
    call.signal.throwIfAborted();
    const { query } = traced(client, database, call.trace);
    await query(begin(call.deadlineMs));
    const result = await work({ query });
    call.signal.throwIfAborted();
    await query("commit");
    return result;
  } catch (error) {
    if (!lost) await client.query("rollback").catch(onError);
    throw translate(error, call.signal, lost);
  } finally {
    call.signal.removeEventListener("abort", abandon);
    release(lost);
    client.off("error", onError);
  }
}

/** A span of its own for each statement; its parameters are data, and stay out of it. */
function traced(client: pg.PoolClient, { attributes }: Database, trace: Trace): Transaction {
  return {
    query: (text, values) => {
      const operation = (/\w+/.exec(text)?.[0] ?? "").toUpperCase();
      const name = [operation, tablePattern.exec(text)?.[1]].filter(Boolean).join(" ");
      const statement = {
        "db.operation.name": operation,
        "db.query.summary": name,
        "db.query.text": text.replace(/= \d+/g, "= ?"), // the timeouts of `begin`, which takes no parameters
      };
      return trace.child({ name, kind: "client", attributes: { ...attributes, ...statement } }, async (span) => {
        try {
          return await client.query(text, values);
        } catch (error) {
          if (error instanceof pg.DatabaseError) span.set({ "db.response.status_code": error.code ?? "" });
          throw error;
        }
      });
    },
  };
}

const tablePattern = /(?:^\s*update|\bfrom|\binto)\s+(\w+)/i;

/** A span only where the pool has no connection to give at once: a cold start pays for one. */
function connectTraced({ pool, attributes }: Database, { signal, trace }: Pick<Call, "signal" | "trace">) {
  if (pool.idleCount > 0) return connect(pool, signal);
  return trace.child({ name: "connect", kind: "client", attributes }, () => connect(pool, signal));
}

function begin(deadlineMs: number): string {
  const timeoutMs = Math.max(1, Math.ceil(deadlineMs - Date.now()));
  return `begin;
    set local statement_timeout = ${timeoutMs};
    set local transaction_timeout = ${timeoutMs};
    set local client_connection_check_interval = 250`;
}

/**
 * A connection outside any transaction, to be ended by `release(true)`. Throws {@link Problem} `unavailable` when the database is
 * away; its queries may take 12 s each.
 */
export async function openSession({ pool }: Database): Promise<pg.PoolClient> {
  const session = await connect(pool, new AbortController().signal);
  session.on("error", () => {}); // the query in flight rejects, which is enough
  return session;
}

async function connect(pool: pg.Pool, signal: AbortSignal): Promise<pg.PoolClient> {
  const pending = pool.connect();
  try {
    return await orAborted(pending, signal);
  } catch (error) {
    pending.then(
      (client) => client.release(),
      () => {},
    );
    throw translate(error, signal, error as Error);
  }
}

/** SQLSTATE 57014 and 25P04 are the timeouts set in {@link begin}. */
function translate(error: unknown, signal: AbortSignal, lost: Error | undefined): unknown {
  if (error instanceof Problem) return error;
  const state = [lost, error].find((one) => one instanceof pg.DatabaseError)?.code ?? "";
  if (signal.aborted || state === "57014" || state === "25P04") {
    return new Problem("deadline_exceeded", "the database did not answer in time", { cause: error });
  }
  if (lost) {
    const headers = { "Retry-After": String(retryAfterS) };
    return new Problem("unavailable", "the database is not available", { cause: error, headers });
  }
  return error;
}

function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("Cannot read a bigint beyond 2^53");
  return value;
}
