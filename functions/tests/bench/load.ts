import type { Socket } from "bun";

export type Slice = {
  requests: number;
  elapsedMs: number;
};

/** As another function of the shop would ask: in a sampled trace, with a deadline far away. */
const requestTo = (port: number) =>
  [
    "GET /hello/world HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "X-Request-Id: 3f2a8e0c-6a0f-4f6e-9b7e-1d2c3b4a5f60",
    `Request-Deadline: ${Date.now() + 3_600_000}`,
    "\r\n",
  ].join("\r\n");

const digit2 = 0x32;
const replyTimeoutMs = 10_000;
const statusAt = "HTTP/1.1 ".length;

export type Load = Disposable & {
  /** Asks on every connection, one request at a time each, for so long. */
  slice(durationMs: number): Promise<Slice>;
};

/**
 * Opens kept-alive connections to one process, and asks once to learn how long a reply is. Every other must be as long and a success; else
 * the slice rejects. To be used at once: Bun's server closes connections that have not asked anything for a while.
 */
export async function openLoad(port: number, connections: number): Promise<Load> {
  const request = requestTo(port);
  const replyBytes = await lengthOfReply(port, request);
  let asking = false;
  let waiting = 0;
  let requests = 0;
  let finished = outcome();

  function ask(socket: Socket<{ missing: number }>): void {
    socket.data.missing = replyBytes;
    socket.write(request);
  }

  const sockets = await Promise.all(
    Array.from({ length: connections }, () =>
      Bun.connect<{ missing: number }>({
        hostname: "127.0.0.1",
        port,
        data: { missing: 0 },
        socket: {
          data(socket, bytes) {
            const fresh = socket.data.missing === replyBytes;
            socket.data.missing -= bytes.length;
            const wrong = (fresh && bytes[statusAt] !== digit2) || socket.data.missing < 0;
            if (wrong) return finished.reject(new Error(`Cannot measure: ${bytes.toString()}`));
            if (socket.data.missing > 0) return;
            requests += 1;
            if (asking) ask(socket);
            else if (--waiting === 0) finished.resolve();
          },
          close: () => finished.reject(new Error("Cannot measure: a connection was closed")),
        },
      }),
    ),
  );

  return {
    async slice(durationMs) {
      finished = outcome();
      requests = 0;
      waiting = sockets.length;
      asking = true;
      const startMs = performance.now();
      const ending = setTimeout(() => {
        asking = false;
      }, durationMs);
      const late = setTimeout(
        () => finished.reject(new Error("Cannot measure: no reply")),
        durationMs + replyTimeoutMs,
      );
      for (const socket of sockets) ask(socket);
      await finished.promise.finally(() => {
        clearTimeout(ending);
        clearTimeout(late);
      });
      return { requests, elapsedMs: performance.now() - startMs };
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.end();
    },
  };
}

/** A connection may close when nobody waits for it. */
function outcome() {
  const finished = Promise.withResolvers<void>();
  finished.promise.catch(() => {});
  return finished;
}

async function lengthOfReply(port: number, request: string): Promise<number> {
  let reply = "";
  const done = Promise.withResolvers<number>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, bytes) {
        reply += bytes.toString();
        const [head = "", body] = reply.split("\r\n\r\n");
        if (body?.length === Number(/content-length: (\d+)/i.exec(head)?.[1])) done.resolve(reply.length);
      },
      close: () => done.reject(new Error(`Cannot measure: port "${port}" closed the connection`)),
    },
  });
  socket.write(request);
  const bytes = await done.promise;
  done.promise.catch(() => {});
  socket.end();
  return bytes;
}
