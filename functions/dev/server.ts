import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { postgresDataDir, runningPostgres, startPostgres } from "./postgres.ts";
import type { ProcessExit } from "./process.ts";

export interface Server {
  /** Of a role that may create roles and databases. */
  adminUrl: string;
  /** The project's own server is gone; never of another one. */
  exited: Promise<ProcessExit>;
  close(): Promise<void>;
}

interface ServerOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Use the project's own server when it runs already, instead of refusing. */
  share?: boolean;
}

const projectDir = fileURLToPath(new URL("../..", import.meta.url));
const portPreferred = 54329;
const never = new Promise<never>(() => {});

/** The PostgreSQL server at `DATABASE_URL`, else the project's own. */
export async function openServer({ env, share = false }: ServerOptions): Promise<Server> {
  if (env.DATABASE_URL) return foreignServer(env.DATABASE_URL);
  const dataDir = env.SHOP_DATA_DIR ? resolve(env.SHOP_DATA_DIR) : await postgresDataDir(projectDir);
  const running = share ? await runningPostgres(dataDir) : undefined;
  if (running) return { adminUrl: running, exited: never, close: async () => {} };
  const { url, exited, stop } = await startPostgres({ dataDir, port: portPreferred }).catch((error: Error) => {
    if (!/could not bind|could not create any TCP/.test(error.message)) throw error;
    return startPostgres({ dataDir });
  });
  return { adminUrl: url, exited, close: stop };
}

async function foreignServer(adminUrl: string): Promise<Server> {
  try {
    const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    await client.connect();
    await client.end();
  } catch (cause) {
    throw new Error(`Cannot use the server at DATABASE_URL: ${(cause as Error).message || "it cannot be reached"}`, {
      cause,
    });
  }
  return { adminUrl, exited: never, close: async () => {} };
}
