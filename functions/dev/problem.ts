import type { IncomingMessage, ServerResponse } from "node:http";
import { readTrace } from "@shop/platform/call";
import { Problem, problemMediaType } from "@shop/platform/problem";

/** Answers for a function that cannot, as the functions themselves answer (RFC 9457). */
export function answerProblem(
  request: IncomingMessage,
  reply: ServerResponse,
  code: "bad_gateway" | "unavailable",
  detail: string,
): void {
  const problem = new Problem(code, detail);
  const body = JSON.stringify(problem.body(readTrace(request.headers.traceparent?.toString()).traceId));
  reply.writeHead(problem.status, {
    "Content-Type": problemMediaType,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    ...(code === "unavailable" && { "Retry-After": "1" }),
  });
  reply.end(body);
}
