import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type RunningProcess, startProcess } from "@shop/dev/process";
import { shop as functions } from "@shop/dev/shop";
import { eventually, freePort, freshDatabase } from "@shop/platform/testing";

export type FunctionName = "frontend" | "gateway" | "orders" | "inventory" | "users";
type Owner = "inventory" | "orders" | "users";
type Runtime = "bun" | "deno";

type ShopOptions = {
  runtime?: Runtime;
  /** The built bundles instead of the sources. */
  bundled?: boolean;
  /** Further variables of one function. */
  env?: Partial<Record<FunctionName, Record<string, string>>>;
};

/** What runs in a function's place: another program, by its path below `functions`, or its own with further variables. */
type Variant = { program?: string; env?: Record<string, string> };

export type Shop = {
  readonly urls: Readonly<Record<FunctionName, string>>;
  readonly frontendUrl: string;
  readonly gatewayUrl: string;
  readonly databases: Readonly<Record<Owner, { url: string }>>;
  /** Every line the functions have written. */
  readonly lines: string[];
  readonly processes: ReadonlyMap<FunctionName, RunningProcess>;
  /** The process of one function, running or ended. */
  process(name: FunctionName): RunningProcess;
  /** Starts a function that has ended, at its old address, and waits until it listens. */
  start(name: FunctionName, variant?: Variant): Promise<void>;
  /** Ends a function and waits until it is gone. */
  end(name: FunctionName, signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Runs the maintenance job to its end; its exit code. */
  settle(): Promise<number | null>;
  stop(): Promise<void>;
};

const owners: readonly Owner[] = ["inventory", "orders", "users"];
const folder = fileURLToPath(new URL("..", import.meta.url));

/** The program and its first arguments that run a TypeScript file on a runtime. */
export function runtimeCommand(runtime: Runtime): [string, ...string[]] {
  if (runtime === "bun") return ["bun"];
  // What npm puts on the path only starts Deno, and passes no signal on.
  const deno = execFileSync("deno", ["eval", "console.log(Deno.execPath())"], { encoding: "utf8" }).trim();
  return [deno, "run", "--allow-all", "--no-check", "--unstable-no-legacy-abort"];
}

/** Whether a function listens at this address. */
export const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );

/** The five functions as bare processes on free ports, each owner with a fresh database; no proxy between them. */
export async function startShop({ runtime = "bun", bundled = false, env = {} }: ShopOptions = {}): Promise<Shop> {
  const scratch = Object.fromEntries(
    await Promise.all(owners.map(async (owner) => [owner, await freshDatabase(owner)] as const)),
  ) as Record<Owner, { url: string; drop(): Promise<void> }>;
  const ports = Object.fromEntries(
    await Promise.all(functions.map(async ({ name }) => [name, await freePort()] as const)),
  ) as Record<FunctionName, number>;
  const urls = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, `http://127.0.0.1:${port}`]),
  ) as Record<FunctionName, string>;
  const command = runtimeCommand(runtime);
  const processes = new Map<FunctionName, RunningProcess>();
  const lines: string[] = [];

  const run = (name: FunctionName, variant: Variant, ...args: string[]) => {
    const { peers } = functions.find((one) => one.name === name) ?? { peers: {} };
    const { program = `${name}/${bundled ? "dist/main.js" : "main.ts"}` } = variant;
    return startProcess({
      command: [...command, `${folder}${program}`, ...args],
      orphanSignal: "SIGKILL",
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        HOST: "127.0.0.1",
        PORT: String(ports[name]),
        ...Object.fromEntries(Object.entries(peers).map(([key, peer]) => [key, urls[peer as FunctionName]])),
        ...(name in scratch && { DATABASE_URL: scratch[name as Owner].url }),
        ...env[name],
        ...variant.env,
      },
      onLine: (line) => lines.push(line),
    });
  };

  const started: Shop = {
    urls,
    frontendUrl: urls.frontend,
    gatewayUrl: urls.gateway,
    databases: scratch,
    lines,
    processes,
    process(name) {
      const one = processes.get(name);
      if (!one) throw new Error(`Cannot find "${name}": it was never started`);
      return one;
    },
    async start(name, variant = {}) {
      processes.set(name, run(name, variant));
      await eventually(`${name} listens`, () => isReady(urls[name]));
    },
    async end(name, signal = "SIGTERM") {
      const one = started.process(name);
      one.signal(signal);
      await one.exited;
    },
    async settle() {
      return (await run("orders", {}, "settle").closed).code;
    },
    async stop() {
      const running = [...processes.values()];
      for (const one of running) {
        one.signal("SIGCONT");
        one.signal("SIGTERM");
      }
      await Promise.all(running.map(({ exited }) => exited));
      await Promise.all(Object.values(scratch).map(({ drop }) => drop()));
    },
  };
  await Promise.all(functions.map(({ name }) => started.start(name as FunctionName)));
  return started;
}
