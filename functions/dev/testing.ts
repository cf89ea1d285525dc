import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import http, { type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openProxy } from "./proxy.ts";
import { Slot, type SlotEvent, type SlotOptions } from "./slot.ts";

/** A function that behaves: ready at once, drains on SIGTERM. */
export const wellBehaved = `
import http from "node:http";

const { PORT, K_REVISION } = process.env;
const paths = {
  "/readyz": (request, reply) => reply.end("OK"),
  "/metrics": (request, reply) => reply.end(request.headers["x-forwarded-for"] ?? "no proxy"),
  "/env": (request, reply) => reply.end(JSON.stringify(process.env)),
  "/echo": (request, reply) => {
    reply.writeHead(200, ["Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
    reply.flushHeaders();
    request.pipe(reply);
  },
  "/mirror": ({ method, url, rawHeaders }, reply) => reply.end(JSON.stringify({ method, url, rawHeaders })),
  "/204": (request, reply) => reply.writeHead(204).end(),
  "/304": (request, reply) => reply.writeHead(304, { ETag: "x" }).end(),
  "/302": (request, reply) => reply.writeHead(302, { Location: "/elsewhere" }).end(),
  "/413": (request, reply) => reply.writeHead(413).end("too much"),
  "/gzip": (request, reply) => reply.writeHead(200, { "Content-Encoding": "gzip" }).end(Bun.gzipSync("zipped")),
  "/die": () => process.exit(3),
  "/die-late": (request, reply) => reply.write("half", () => setTimeout(() => process.exit(3), 10)),
  "/hang": (request, reply) => {
    reply.on("close", () => console.log("caller gone"));
    console.log("hanging");
  },
};
const whoami = (request, reply) => reply.end(JSON.stringify({ pid: process.pid, revision: K_REVISION, port: Number(PORT) }));
const server = http.createServer((request, reply) => {
  const [, path] = request.url.split(/([/]\\w*-?\\w*)/);
  (paths[path] ?? whoami)(request, reply);
});
server.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;

/** A function's source in a folder of its own. */
export async function writeFunction(source = wellBehaved): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "shop-dev-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "main.ts");
  await writeFile(file, source);
  return file;
}

/** Waits for `condition`; the only place of these tests where time passes. */
export async function until(what: string, condition: () => unknown, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`Cannot wait for "${what}": not so after ${timeoutMs} ms`);
    await sleep(2);
  }
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
}

export interface Sending {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  agent?: http.Agent | false;
}

/** Sends one request; unlike Bun's `fetch` it never sends a second one when the connection is lost. */
export function send(url: string, { method = "GET", headers = {}, body, agent = false }: Sending = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk) => chunks.push(chunk));
      reply.on("error", reject);
      reply.on("end", () => {
        const { statusCode: status = 0, headers, rawHeaders } = reply;
        resolve({ status, headers, rawHeaders, body: Buffer.concat(chunks).toString("latin1") });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Whether a process runs; one that nobody has buried yet does not. */
export function alive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", `${pid}`], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}

/** A slot with a port before it, as `bun run dev` has five; by itself it never sleeps. */
export async function openFunction(file: string, overrides: Partial<Omit<SlotOptions, "onEvent">> = {}) {
  const events: SlotEvent[] = [];
  const slot = new Slot({
    name: "orders",
    command: [process.execPath, file],
    env: () => process.env,
    windowMs: Number.POSITIVE_INFINITY,
    bootTimeoutMs: 10_000,
    drainTimeoutMs: 10_000,
    killTimeoutMs: 10_000,
    onEvent: (event) => void events.push(event),
    ...overrides,
  });
  const proxy = await openProxy({ slot, port: 0, ready: Promise.resolve() });
  return {
    slot,
    proxy,
    url: `http://127.0.0.1:${proxy.port}`,
    count: (type: SlotEvent["type"]) => events.filter((event) => event.type === type).length,
    asleep: () => events.find((event) => event.type === "asleep"),
    lines: () => events.flatMap((event) => (event.type === "line" ? [event.line] : [])),
    async [Symbol.asyncDispose]() {
      await proxy.close(0);
      await slot.stop();
    },
  };
}
