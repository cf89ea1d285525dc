import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { Problem } from "@shop/platform/problem";
import { listen } from "./listen.ts";
import { answerProblem } from "./problem.ts";
import type { LiveProcess } from "./slot.ts";

export interface TargetsOptions {
  port: number;
  processes: () => readonly LiveProcess[];
}

export interface Targets {
  url: string;
  close(): Promise<void>;
}

/**
 * Tells Prometheus which processes there are to read now, each at a port of its own: no scrape goes where it would wake one or keep one awake.
 * See https://prometheus.io/docs/prometheus/latest/http_sd/. Rejects when the port is taken.
 */
export async function openTargets({ port, processes }: TargetsOptions): Promise<Targets> {
  const server = http.createServer((request, reply) => answer(request, reply, processes));
  const url = `http://127.0.0.1:${await listen(server, port, "targets")}/targets`;
  return {
    url,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections(); // `close` alone would wait for half a request to time out
      await closed;
    },
  };
}

function answer(request: IncomingMessage, reply: ServerResponse, processes: TargetsOptions["processes"]): void {
  const { url = "", method = "" } = request;
  if (url.split("?")[0] !== "/targets") {
    answerProblem(request, reply, new Problem("not_found", "there is nothing at this path"));
  } else if (!["GET", "HEAD"].includes(method)) {
    const headers = { Allow: "GET, HEAD" };
    answerProblem(request, reply, new Problem("method_not_allowed", "this path has other methods", { headers }));
  } else {
    reply.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
    reply.end(JSON.stringify(processes().map(targetGroup)));
  }
}

/** Not `service`: that is a label of the metrics themselves, and Prometheus would rename theirs to `exported_service`. */
const targetGroup = ({ name, revision, port }: LiveProcess) => ({
  targets: [`127.0.0.1:${port}`],
  labels: { function: name, revision },
});
