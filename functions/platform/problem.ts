import * as v from "valibot";

/** Every error code a function can answer with, its HTTP status and its title (RFC 9457 §3.1). */
export const problems = {
  invalid: { status: 400, title: "Invalid request" },
  unauthenticated: { status: 401, title: "Visitor unknown" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  out_of_stock: { status: 409, title: "Out of stock" },
  unknown_item: { status: 409, title: "Unknown item" },
  payload_too_large: { status: 413, title: "Payload too large" },
  unsupported_media_type: { status: 415, title: "Unsupported media type" },
  key_reused: { status: 422, title: "Idempotency key of another order" },
  too_many_requests: { status: 429, title: "Too many requests" },
  client_closed: { status: 499, title: "The caller went away" },
  internal: { status: 500, title: "Internal error" },
  bad_gateway: { status: 502, title: "Bad gateway" },
  unavailable: { status: 503, title: "Service unavailable" },
  deadline_exceeded: { status: 504, title: "Deadline exceeded" },
} as const;

/** A key of the table {@link problems}. */
export type ProblemCode = keyof typeof problems;

/** The body of every error reply, media type `application/problem+json` (RFC 9457). */
export const ProblemBody = v.looseObject({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)),
  detail: v.string(),
  code: v.string(),
  traceId: v.string(),
});
/** The parsed form of {@link ProblemBody}. */
export type ProblemBody = v.InferOutput<typeof ProblemBody>;

/** The media type of {@link ProblemBody} (RFC 9457 §6.1). */
export const problemMediaType = "application/problem+json";

type ProblemOptions = {
  cause?: unknown;
  headers?: Record<string, string>;
  /** Further members of the body (RFC 9457 §3.2). */
  members?: Record<string, string>;
};

/** An error with a reply of its own: `detail` is public and names a field, never its value; `cause` is for the log. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly headers: Record<string, string>;
  readonly members: Record<string, string>;

  constructor(code: ProblemCode, detail: string, { cause, headers = {}, members = {} }: ProblemOptions = {}) {
    super(detail, { cause });
    this.code = code;
    this.headers = headers;
    this.members = members;
  }

  get status(): number {
    return problems[this.code].status;
  }

  /** The reply's body within the trace `traceId`. */
  body(traceId: string): ProblemBody {
    const { status, title } = problems[this.code];
    const type = `/docs/problems#${this.code}`;
    return { type, title, status, detail: this.message, code: this.code, ...this.members, traceId };
  }
}

/** A peer's own problem, passed on to the caller unchanged; `body` is what the peer answered. */
export class PeerProblem extends Error {
  override readonly name = "PeerProblem";
  readonly peer: string;
  readonly headers: Record<string, string>;
  readonly peerBody: ProblemBody;

  constructor(peer: string, body: ProblemBody, headers: Record<string, string>) {
    super(`${peer} answered ${body.status} ${body.code}`);
    this.peer = peer;
    this.headers = headers;
    this.peerBody = body;
  }

  get status(): number {
    return this.peerBody.status;
  }

  body(): ProblemBody {
    return this.peerBody;
  }
}
