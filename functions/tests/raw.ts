import { connect, type Socket } from "node:net";

export type RawConnection = {
  send(bytes: string | Uint8Array): void;
  /** Sends no more, and goes on reading. */
  end(): void;
  /** Waits until the other side has closed, at most `timeoutMs`; whatever came back. */
  finish(timeoutMs: number): Promise<string>;
};

/** A connection on which any bytes can be sent. */
export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  let received = "";
  const socket = await new Promise<Socket>((resolve, reject) => {
    const opened = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => resolve(opened));
    opened.once("error", reject);
  });
  const closed = new Promise<void>((resolve) => {
    socket.once("end", resolve).once("close", () => resolve());
  });
  socket.on("error", () => {});
  socket.setEncoding("latin1").on("data", (text) => {
    received += text;
  });

  return {
    send: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    async finish(timeoutMs) {
      const timer = setTimeout(() => socket.destroy(), timeoutMs);
      await closed;
      clearTimeout(timer);
      socket.destroy();
      return received;
    },
  };
}
