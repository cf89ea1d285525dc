import { spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import http, { type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SlotEvent } from "./slot.ts";

/** A function that behaves: ready at once, drains on SIGTERM. */
export const wellBehaved = `
const { PORT, K_REVISION } = process.env;
const replies = {
  "/readyz": () => new Response("OK"),
  "/metrics": () => new Response("up 1\\n"),
  "/echo": (request) => new Response(request.body, { headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] }),
  "/headers": (request) => Response.json([...request.headers]),
  "/env": () => Response.json(process.env),
  "/204": () => new Response(null, { status: 204 }),
  "/304": () => new Response(null, { status: 304, headers: { ETag: '"x"' } }),
  "/away": () => Response.redirect("http://example.com/", 302),
  "/gzip": () => new Response(Bun.gzipSync("zipped"), { headers: { "Content-Encoding": "gzip" } }),
  "/413": () => new Response("too much", { status: 413 }),
  "/die": () => process.exit(3),
  "/hang": (request) => {
    request.signal.addEventListener("abort", () => console.log("caller gone"));
    console.log("hanging");
    return new Promise(() => {});
  },
};
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(PORT),
  idleTimeout: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    return replies[pathname]?.(request) ?? Response.json({ pid: process.pid, revision: K_REVISION });
  },
});
process.on("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
`;

/** A function's source in a folder of its own. */
export async function writeFunction(source = wellBehaved): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "shop-dev-"));
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

/** Collects a slot's events. */
export function record() {
  const events: SlotEvent[] = [];
  const count = (type: SlotEvent["type"]) => events.filter((event) => event.type === type).length;
  const lines = () => events.flatMap((event) => (event.type === "line" ? [event.line] : []));
  return { events, onEvent: (event: SlotEvent) => void events.push(event), count, lines };
}
