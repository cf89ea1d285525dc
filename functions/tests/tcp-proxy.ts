import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type TcpProxy = {
  /** The target's URL, but by way of the proxy. */
  readonly url: string;
  /** Connects new connections again; those of the black hole stay lost. */
  open(): Promise<void>;
  /** Cuts every connection and refuses new ones. */
  refuse(): Promise<void>;
  /** Swallows what comes on every connection, and takes new ones without an answer. */
  swallow(): void;
  /** Cuts the connections there are; new ones are taken. */
  cut(): void;
  close(): Promise<void>;
};

/** A proxy on a free port before the server of `targetUrl`. */
export async function openTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let swallowing = false;

  const server = createServer((client) => {
    keep(client);
    if (swallowing) return client.resume();
    const upstream = connect(Number(target.port), target.hostname);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    return undefined;
  });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = new URL(targetUrl);
  url.port = String(port);

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  }

  function listen(port: number): Promise<void> {
    return new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  }

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };

  const proxy: TcpProxy = {
    url: url.href,
    async open() {
      swallowing = false;
      if (!server.listening) await listen(port);
    },
    async refuse() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
    swallow() {
      swallowing = true;
      for (const socket of sockets) socket.unpipe().resume();
    },
    cut,
    async close() {
      if (server.listening) await proxy.refuse();
    },
  };
  return proxy;
}
