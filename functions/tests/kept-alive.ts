import { connect, type Socket } from "node:net";

/** A request as it is written: any method, any target, any headers. */
export type RawRequest = { method: string; target: string; headers: readonly string[]; body?: string };

export type KeptAlive = {
  /** The whole answer, byte by byte (latin1); undefined when the connection was closed without one. */
  ask(request: RawRequest): Promise<string | undefined>;
  close(): void;
};

/** One connection on which any request can be sent, one after the other; it is opened again whenever the other side closes it. */
export function openKeptAlive(url: string): KeptAlive {
  const { hostname, port } = new URL(url);
  let socket: Socket | undefined;

  function open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const opened = connect({ host: hostname, port: Number(port) }, () => resolve(opened));
      opened
        .once("error", reject)
        .on("error", () => {})
        .setEncoding("latin1");
    });
  }

  return {
    async ask(request) {
      const current = socket?.writable ? socket : await open();
      socket = current;
      const answer = await exchange(current, request);
      if (answer === undefined || closes(answer)) current.destroy();
      return answer;
    },
    close: () => void socket?.destroy(),
  };
}

function exchange(socket: Socket, { method, target, headers, body = "" }: RawRequest): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = "";
    const done = (whole: string | undefined) => {
      socket.off("data", read).off("close", cut).off("error", cut);
      resolve(whole);
    };
    const read = (text: string) => {
      answer += text;
      if (isWhole(answer, method)) done(answer);
    };
    const cut = () => done(answer === "" ? undefined : answer);
    socket.on("data", read).once("close", cut).once("error", cut);
    socket.write(`${[`${method} ${target} HTTP/1.1`, ...headers].join("\r\n")}\r\n\r\n${body}`, "latin1");
  });
}

/** Whether no more is to come: nothing is asked before this answer has ended (RFC 9112 §6.3). */
function isWhole(answer: string, method: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (method === "HEAD" || [204, 304].includes(statusOf(answer))) return true;
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, end + 2)) ?? [];
  return length === undefined ? answer.endsWith("\r\n0\r\n\r\n") : answer.length >= end + 4 + Number(length);
}

/** The status of an answer. */
export const statusOf = (answer: string): number => Number(answer.slice(9, 12));
const closes = (answer: string): boolean =>
  /\r\nconnection: *close\r\n/i.test(answer.slice(0, answer.indexOf("\r\n\r\n") + 2));
