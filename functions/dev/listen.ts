import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Opens a port of the loopback interface (0: any free one) and resolves to its number. */
export async function listen(server: Server, port: number, name: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const state = cause.code === "EADDRINUSE" ? "already in use" : cause.message;
      reject(new Error(`Cannot open port "${port}" of ${name}: ${state}`, { cause }));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}
