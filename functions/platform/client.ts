import { setTimeout as wait } from "node:timers/promises";
import * as v from "valibot";
import { type Call, DeadlineExceeded, deadlineHeader, deadlineSignal, hopReserveMs } from "./call.ts";
import { exchange, exchangeDurations } from "./exchange.ts";
import type { Metrics } from "./metrics.ts";
import { PeerProblem, Problem, ProblemBody, problemMediaType } from "./problem.ts";

type Answers = Record<number, v.GenericSchema>;

/** One of the answers a caller expects, discriminated by its status. */
export type Answer<A extends Answers> = {
  [S in keyof A & number]: { status: S; body: v.InferOutput<A[S]>; headers: Headers };
}[keyof A & number];

type PeerRequest<A extends Answers> = {
  method: "GET" | "POST" | "PUT";
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
  /** The callee's contract: the body's schema by status. */
  answers: A;
  /** Headers that a problem of the peer carries on to our caller, besides `Retry-After`. */
  problemHeaders?: readonly string[];
  /** Above 1 only where a repetition is harmless, and at one layer only. */
  attemptsMax?: number;
};

/** Another function, reached by its URL. */
export type Peer = { request<A extends Answers>(request: PeerRequest<A>, call: Call): Promise<Answer<A>> };

type PeerOptions = {
  name: string;
  baseUrl: string;
  metrics: Metrics;
  fetch?: (request: Request) => Promise<Response>;
};

const answerMaxBytes = 1024 * 1024;
const backoffBaseMs = 50;
const retryAfterDefaultS = 1;

/**
 * A client of one peer: sends trace, request id and deadline along, keeps `hopReserveMs` of the deadline for the caller's
 * own answer, and takes only answers that fit the contract. Throws {@link PeerProblem} for the peer's own problems, and
 * {@link Problem} `bad_gateway`, `unavailable`, `too_many_requests` or `deadline_exceeded` otherwise.
 */
export function createPeer({ name, baseUrl, metrics, fetch = globalThis.fetch }: PeerOptions): Peer {
  const durations = exchangeDurations(metrics);
  return {
    async request(request, call) {
      const { attemptsMax = 1 } = request;
      const { signal, clear } = deadlineSignal(call.deadlineMs - hopReserveMs, call.signal);
      try {
        for (let attempt = 1; ; attempt++) {
          try {
            const url = new URL(`${baseUrl}${request.path}`);
            return await exchange(
              { durations, peer: name, method: request.method, url, resend: attempt - 1 },
              call,
              ({ headers, answered }) =>
                once(request, { headers: { ...headers, ...passedOn(call) }, signal, answered }),
            );
          } catch (error) {
            const retryMs = attempt < attemptsMax ? retryDelayMs(error, attempt) : undefined;
            if (retryMs === undefined || call.deadlineMs - hopReserveMs - Date.now() <= retryMs) throw error;
            await wait(retryMs, undefined, { signal }).catch(() => {
              throw error;
            });
          }
        }
      } finally {
        clear();
      }
    },
  };

  async function once<A extends Answers>(
    request: PeerRequest<A>,
    { headers: own, signal, answered }: Sending,
  ): Promise<Answer<A>> {
    const { method, path, headers, body } = request;
    try {
      const response = await fetch(
        new Request(`${baseUrl}${path}`, {
          method,
          headers: {
            Accept: "application/json",
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
            ...headers,
            ...own,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          redirect: "manual",
          signal,
        }),
      );
      answered(response);
      return readAnswer(name, request, response, await readText(response));
    } catch (error) {
      if (error instanceof Problem || error instanceof PeerProblem) throw error;
      throw silenceProblem(name, error, signal);
    }
  }
}

type Sending = { headers: Record<string, string>; signal: AbortSignal; answered: (response: Response) => void };

/** What every request to a peer says of the call it is part of, besides its trace. */
export const passedOn = (call: Call): Record<string, string> => ({
  "X-Request-Id": call.requestId,
  [deadlineHeader]: String(call.deadlineMs - hopReserveMs),
});

/** Reads at most `answerMaxBytes`: a peer gone wrong must not fill our memory. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > answerMaxBytes) throw new Error(`the answer has more than ${answerMaxBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function readAnswer<A extends Answers>(
  peer: string,
  { answers, problemHeaders = [] }: PeerRequest<A>,
  { status, headers }: Response,
  text: string,
): Answer<A> {
  const schema = answers[status];
  if (schema) {
    const result = v.safeParse(schema, parseJson(text));
    if (result.success) return { status, body: result.output, headers } as Answer<A>;
    throw new Problem("bad_gateway", `${peer} gave an answer outside its contract`);
  }
  if (isProblem(status, headers)) {
    const problem = parseJson(text);
    if (v.is(ProblemBody, problem) && problem.status === status) {
      throw new PeerProblem(peer, problem, pick(headers, ["Retry-After", ...problemHeaders]));
    }
  }
  throw proxyProblem(peer, status, headers);
}

/** Whether an answer says that it is a problem in the sense of RFC 9457. */
export const isProblem = (status: number, headers: Headers): boolean =>
  status >= 400 && (headers.get("Content-Type")?.startsWith(problemMediaType) ?? false);

/** What an answer means that the peer itself cannot have given: some proxy between us did, often as text/plain. */
export function proxyProblem(peer: string, status: number, headers: Headers): Problem {
  const busy = { headers: { "Retry-After": headers.get("Retry-After") ?? String(retryAfterDefaultS) } };
  if (status === 503) return new Problem("unavailable", `${peer} is not available`, busy);
  if (status === 429) return new Problem("too_many_requests", `${peer} has too many requests`, busy);
  if (status === 504) return new Problem("deadline_exceeded", `${peer} did not answer in time`);
  return new Problem("bad_gateway", `${peer} answered ${status} outside its contract`);
}

/** What it means that no answer came: the deadline did, the caller has gone, or the peer cannot be reached. */
export function silenceProblem(peer: string, cause: unknown, signal: AbortSignal): Problem {
  if (signal.reason instanceof DeadlineExceeded) {
    return new Problem("deadline_exceeded", `${peer} did not answer in time`, { cause });
  }
  if (signal.aborted) return new Problem("client_closed", "nobody waits for the answer", { cause });
  return new Problem("bad_gateway", `${peer} cannot be reached`, { cause });
}

function pick(headers: Headers, names: readonly string[]): Record<string, string> {
  const found = names.map((name) => [name, headers.get(name)] as const);
  return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[1] !== null));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How long to wait before the next attempt, in milliseconds, full jitter; undefined when another would not help. */
function retryDelayMs(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof Problem || error instanceof PeerProblem)) return undefined;
  const retryAfterS = Number(error.headers["Retry-After"] ?? Number.NaN);
  if (error.status === 429 && Number.isNaN(retryAfterS)) return undefined;
  if (![429, 502, 503, 504].includes(error.status)) return undefined;
  return Math.random() * backoffBaseMs * 2 ** attempt + (Number.isNaN(retryAfterS) ? 0 : retryAfterS * 1000);
}
