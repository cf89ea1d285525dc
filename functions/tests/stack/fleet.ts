import { fileURLToPath } from "node:url";
import { type RunningProcess, startProcess } from "@shop/dev/process";
import { eventually, freePort } from "@shop/platform/testing";
import { isReady, runtimeCommand } from "../shop.ts";
import type { Ask } from "./asks.ts";

type FleetOptions = {
  databaseUrl: string;
  collectorUrl: string;
  /** What goes wrong with the process of this number, if anything does. */
  planted?: { process: number; loss: Loss };
};

/** A process retired without its last scrape; one that writes no access lines; one killed with its last spans. */
export type Loss = "scrape" | "lines" | "spans";

/** What three witnesses say of the same requests; the fourth is the collector. */
export type Account = { requests: number; counters: number; lines: number };

type Member = { url: string; running: RunningProcess; loss: Loss | undefined; inFlight: number; idle: () => void };

const usersBundle = fileURLToPath(new URL("../../users/dist/main.js", import.meta.url));

/** A function whose processes are retired one after the other: no more routing, last reply, scrape, SIGTERM. */
export async function openFleet({ databaseUrl, collectorUrl, planted }: FleetOptions) {
  const account: Account = { requests: 0, counters: 0, lines: 0 };
  const leaving: Promise<void>[] = [];
  let started = 0;
  let current = await start();

  async function start(): Promise<Member> {
    const loss = planted?.process === started++ ? planted.loss : undefined;
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const running = startProcess({
      command: [...runtimeCommand("bun"), usersBundle],
      env: {
        ...process.env,
        HOST: "127.0.0.1",
        PORT: `${port}`,
        DATABASE_URL: databaseUrl,
        OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
        LOG_LEVEL: loss === "lines" ? "warn" : "info",
      },
      orphanSignal: "SIGKILL",
      onLine: (line) => {
        if (JSON.parse(line).msg === "request") account.lines++;
      },
    });
    await eventually("the next process is ready", () => isReady(url), 30_000);
    return { url, running, loss, inFlight: 0, idle: () => {} };
  }

  async function retire(member: Member): Promise<void> {
    await new Promise<void>((resolve) => {
      member.idle = resolve;
      if (member.inFlight === 0) resolve();
    });
    if (member.loss !== "scrape") account.counters += await readCounter(member.url);
    member.running.signal(member.loss === "spans" ? "SIGKILL" : "SIGTERM");
    const { code } = await member.running.closed;
    if (code !== 0 && member.loss !== "spans") throw new Error(`a process ended with exit code ${code}`);
  }

  return {
    account,
    async request({ method, path, status }: Ask): Promise<void> {
      const member = current;
      member.inFlight++;
      const response = await fetch(`${member.url}${path}`, { method });
      await response.arrayBuffer();
      if (response.status !== status) throw new Error(`${method} ${path} answered ${response.status}`);
      account.requests++;
      member.inFlight--;
      if (member.inFlight === 0) member.idle();
    },
    /** The next requests go to a fresh process. */
    async renew(): Promise<void> {
      const old = current;
      current = await start();
      leaving.push(retire(old));
    },
    async close(): Promise<void> {
      await Promise.all([...leaving, retire(current)]);
    },
  };
}

async function readCounter(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = [...text.matchAll(/^http_requests_total\{.*\} (\d+)$/gm)].map((match) => Number(match[1]));
  return values.reduce((sum, value) => sum + value, 0);
}
