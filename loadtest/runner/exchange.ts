import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { Interruption } from "./interruption.ts";
import type { Vu } from "./vu.ts";

export type ExchangeRequest = {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | undefined;
  vu: Vu;
  timeoutMs: number;
  interruption: Interruption;
  keepBody: boolean;
};

/** Milliseconds of each phase; `duration` is sending, waiting and receiving, without the connection's making, as in k6. */
export type Timings = Record<
  "blocked" | "connecting" | "tls_handshaking" | "sending" | "waiting" | "receiving" | "duration",
  number
>;

export type Exchange = {
  /** 0 when there was no answer. */
  status: number;
  statusText: string;
  headers: Record<string, string>;
  body: string | null;
  error: string;
  errorCode: number;
  timings: Timings;
  sentBytes: number;
  receivedBytes: number;
  remote: { ip: string; port: number };
};

/** k6's error codes (docs: javascript-api/error-codes). */
const errorCodes: Record<string, number> = {
  ERR_INVALID_URL: 1020,
  TIMEOUT: 1050,
  ENOTFOUND: 1101,
  EAI_AGAIN: 1101,
  EPIPE: 1201,
  ETIMEDOUT: 1211,
  ECONNREFUSED: 1212,
  ECONNRESET: 1220,
};
const genericErrorCode = 1000;

/**
 * One request and its answer. A lost connection is an answer of status 0, never a second request. Not `fetch`: on Bun that sends again by
 * itself, shares its connections among all users, and runs 256 requests at most.
 */
export function exchange(asked: ExchangeRequest): Promise<Exchange> {
  const { url, method, headers, body, vu, timeoutMs, interruption, keepBody } = asked;
  return new Promise((resolve) => {
    const secure = url.protocol === "https:";
    const startMs = performance.now();
    const at = { socket: 0, connected: 0, ready: 0, sent: 0, headers: 0 };
    const base = { read: 0, written: 0 };
    let socket: import("node:net").Socket | undefined;

    const request = (secure ? https : http).request(url, { method, headers, agent: secure ? vu.https : vu.http });
    const timer = setTimeout(
      () => request.destroy(Object.assign(new Error("request timeout"), { code: "TIMEOUT" })),
      timeoutMs,
    );
    const forget = interruption.on(() => {
      clearTimeout(timer);
      request.destroy();
    });

    function settle(
      answer: Pick<Exchange, "status" | "statusText" | "headers" | "body" | "error" | "errorCode">,
    ): void {
      clearTimeout(timer);
      forget();
      if (interruption.fired) return;
      resolve({
        ...answer,
        timings: phases({ startMs, ...at, endMs: performance.now() }),
        sentBytes: at.ready === 0 ? 0 : (socket?.bytesWritten ?? 0) - base.written, // node:http counts what waits
        receivedBytes: (socket?.bytesRead ?? 0) - base.read,
        remote: { ip: socket?.remoteAddress ?? "", port: socket?.remotePort ?? 0 },
      });
    }

    function fail(error: Error & { code?: string }): void {
      const errorCode = errorCodes[error.code ?? ""] ?? genericErrorCode;
      settle({
        status: 0,
        statusText: "",
        headers: {},
        body: null,
        error: error.message || `${error.code}`,
        errorCode,
      });
    }

    request.on("error", fail);
    request.on("finish", () => {
      at.sent = performance.now();
    });
    request.on("socket", (given) => {
      socket = given;
      base.read = given.bytesRead ?? 0;
      base.written = given.bytesWritten ?? 0;
      at.socket = at.connected = at.ready = performance.now();
      if (!given.connecting) return;
      at.ready = 0;
      given.once("connect", () => {
        at.connected = performance.now();
        if (!secure) at.ready = at.connected;
      });
      given.once("secureConnect", () => {
        at.ready = performance.now();
      });
    });
    request.on("response", (reply: IncomingMessage) => {
      at.headers = performance.now();
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => {
        if (keepBody) chunks.push(chunk);
      });
      reply.on("error", fail);
      reply.on("end", () => {
        const { statusCode: status = 0, statusMessage: statusText = "" } = reply;
        settle({
          status,
          statusText: `${status} ${statusText}`,
          headers: canonical(reply),
          body: keepBody ? Buffer.concat(chunks).toString() : null,
          error: "",
          errorCode: status >= 400 ? genericErrorCode + status : 0, // 1404 is a 404
        });
      });
    });
    request.end(body);
  });
}

type Moments = Record<"startMs" | "socket" | "connected" | "ready" | "sent" | "headers" | "endMs", number>;

function phases({ startMs, socket, connected, ready, sent, headers, endMs }: Moments): Timings {
  const blocked = (socket || endMs) - startMs;
  const connecting = connected - socket;
  if (ready === 0) {
    return { blocked, connecting, tls_handshaking: 0, sending: 0, waiting: 0, receiving: 0, duration: 0 };
  }
  const sentMs = Math.max(ready, sent || endMs);
  const headersMs = Math.max(sentMs, headers || endMs);
  return {
    blocked,
    connecting,
    tls_handshaking: ready - connected,
    sending: sentMs - ready,
    waiting: headersMs - sentMs,
    receiving: Math.max(0, endMs - headersMs),
    duration: endMs - ready,
  };
}

/** Headers as k6 names them, such as `Content-Type`; several of a name in one value. */
function canonical({ rawHeaders }: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase().replace(/(^|-)[a-z]/g, (match) => match.toUpperCase());
    const value = rawHeaders[index + 1] ?? "";
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}
