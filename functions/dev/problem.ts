import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Problem, problemMediaType } from "@shop/platform/problem";
import { readTraceContext } from "@shop/platform/trace-context";

/** Answers in a function's place as the functions themselves answer (RFC 9457). */
export function answerProblem(request: IncomingMessage, reply: ServerResponse, problem: Problem): void {
  const body = JSON.stringify(problem.body(traceIdOf(request)));
  reply.writeHead(problem.status, {
    ...problem.headers,
    "Content-Type": problemMediaType,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
  });
  reply.end(body);
}

/** That a function cannot answer now, but may soon. */
export const unavailable = (detail: string) => new Problem("unavailable", detail, { headers: { "Retry-After": "1" } });

/** The caller's trace, else one of its own. */
function traceIdOf({ headers }: IncomingMessage): string {
  const caller = readTraceContext({ get: (name) => headers[name]?.toString() ?? null });
  return caller?.traceId ?? randomBytes(16).toString("hex");
}
