import pg from "pg";
import { postgresDataDir, runningPostgres, startPostgres } from "./postgres.ts";

export interface Server {
  /** Of a role that may create roles and databases. */
  adminUrl: string;
  close(): Promise<void>;
}

interface ServerOptions {
  env: Readonly<Record<string, string | undefined>>;
  projectDir: string;
  /** Use the project's own server when it runs already, instead of refusing. */
  share?: boolean;
}

const portPreferred = 54329;

/** The PostgreSQL server at `DATABASE_URL`, else the project's own. */
export async function openServer({ env, projectDir, share = false }: ServerOptions): Promise<Server> {
  if (env.DATABASE_URL) return foreignServer(env.DATABASE_URL);
  const dataDir = await postgresDataDir(projectDir);
  const running = share ? await runningPostgres(dataDir) : undefined;
  if (running) return { adminUrl: running, close: async () => {} };
  const { url, stop } = await startPostgres({ dataDir, port: portPreferred }).catch((error: Error) => {
    if (!/could not bind|could not create any TCP/.test(error.message)) throw error;
    return startPostgres({ dataDir });
  });
  return { adminUrl: url, close: stop };
}

async function foreignServer(adminUrl: string): Promise<Server> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (cause) {
    throw new Error(`Cannot use the server at DATABASE_URL: ${(cause as Error).message || "it cannot be reached"}`, {
      cause,
    });
  }
  await client.end();
  return { adminUrl, close: async () => {} };
}
