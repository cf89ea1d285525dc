import type { IncomingMessage, ServerResponse } from "node:http";

const problems = {
  bad_gateway: { status: 502, title: "Bad gateway", headers: {} },
  unavailable: { status: 503, title: "Service unavailable", headers: { "Retry-After": "1" } },
} as const;

/** Answers for a function that cannot, in the shape of the functions' own problems (RFC 9457). */
export function answerProblem(
  request: IncomingMessage,
  reply: ServerResponse,
  code: keyof typeof problems,
  detail: string,
): void {
  const { status, title, headers } = problems[code];
  const traceId = /^00-([0-9a-f]{32})-/.exec(`${request.headers.traceparent}`)?.[1];
  const body = JSON.stringify({ type: "about:blank", title, status, detail, code, traceId });
  reply.writeHead(status, {
    "Content-Type": "application/problem+json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    ...headers,
  });
  reply.end(body);
}
