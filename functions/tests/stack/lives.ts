import { fileURLToPath } from "node:url";
import { startProcess } from "@shop/dev/process";
import { eventually } from "@shop/platform/testing";
import { isReady, runtimeCommand } from "../shop.ts";
import { anyAsk } from "./asks.ts";
import type { Target } from "./prometheus.ts";

/** As Knative does: so long after its last request began, at the earliest, a pod that is no longer wanted gets SIGTERM. */
export const drainS = 30;

/** What was asked of a function, by method, route and status. */
export type Ledger = Map<string, number>;

export const ledgerKey = (labels: Record<string, string | undefined>): string =>
  [labels.method, labels.route, labels.status_code].join(" ");

type LifeOptions = {
  databaseUrl: string;
  port: number;
  targets: Set<Target>;
  ledger: Ledger;
  requests: number;
  random: () => number;
  /** Before the process goes. */
  atTheEnd: () => Promise<void>;
};

const usersBundle = fileURLToPath(new URL("../../users/dist/main.js", import.meta.url));

/** One life of a process: it starts, is asked a few times, is left alone for the drain, and ends. Returns its exit code. */
export async function live({
  databaseUrl,
  port,
  targets,
  ledger,
  requests,
  random,
  atTheEnd,
}: LifeOptions): Promise<number | null> {
  const address = `127.0.0.1:${port}`;
  const target = { address, function: "users", pod: `users-${crypto.randomUUID()}` };
  const running = startProcess({
    command: [...runtimeCommand("bun"), usersBundle],
    env: { ...process.env, HOST: "127.0.0.1", PORT: `${port}`, DATABASE_URL: databaseUrl, LOG_LEVEL: "warn" },
    orphanSignal: "SIGKILL",
  });
  await eventually(`the process on ${port} is ready`, () => isReady(`http://${address}`), 30_000);
  targets.add(target); // as discovery: a pod is listed when it is ready, and until it is gone
  let lastStartMs = Date.now();
  for (let i = 0; i < requests; i++) {
    lastStartMs = Date.now();
    const ask = anyAsk(random);
    const response = await fetch(`http://${address}${ask.path}`, { method: ask.method });
    await response.arrayBuffer();
    if (response.status !== ask.status) throw new Error(`${ask.method} ${ask.path} answered ${response.status}`);
    const key = ledgerKey({ method: ask.method, route: ask.route, status_code: `${ask.status}` });
    ledger.set(key, (ledger.get(key) ?? 0) + 1);
    await passed(random() * 500);
  }
  await passed(lastStartMs + drainS * 1_000 - Date.now());
  await atTheEnd();
  targets.delete(target);
  running.signal("SIGTERM");
  return (await running.exited).code;
}

/** The passing of time is what is simulated here. */
const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
