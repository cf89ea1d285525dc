import { connect } from "node:net";
import { type RunningProcess, startProcess } from "@shop/dev/process";

type WakeOptions = {
  command: readonly [string, ...string[]];
  env: Record<string, string>;
  port: number;
  path: string;
};

/** A reply as it came: its first line and headers, and its body. */
export type Reply = { status: number; head: string; body: string };

export type Wake = {
  process: RunningProcess;
  /** What it has written so far. */
  lines: string[];
  /** When its process was asked for, in Unix milliseconds. */
  spawnedMs: number;
  /** From then until its first reply began to arrive. */
  totalMs: number;
  reply: Reply;
};

const timeoutMs = 30_000;
const nowMs = () => performance.timeOrigin + performance.now();

/** Starts a program as a process and asks it without pause until it answers; that must be with 200. */
export async function wake({ command, env, port, path }: WakeOptions): Promise<Wake> {
  const lines: string[] = [];
  const { PATH = "", HOME = "" } = process.env;
  const spawnedMs = nowMs();
  const started = startProcess({
    command,
    env: { PATH, HOME, HOST: "127.0.0.1", PORT: `${port}`, ...env },
    orphanSignal: "SIGKILL",
    onLine: (line) => lines.push(line),
  });
  const ended = started.closed.then(() => {
    throw new Error(`Cannot wake "${command.join(" ")}": it ended\n${lines.join("\n")}`);
  });
  try {
    const { replyMs, ...reply } = await Promise.race([firstReply(port, path), ended]);
    if (reply.status !== 200) throw new Error(`Cannot wake "${command.join(" ")}": ${reply.head}\n${reply.body}`);
    ended.catch(() => {});
    return { process: started, lines, spawnedMs, totalMs: replyMs - spawnedMs, reply };
  } catch (error) {
    started.signal("SIGKILL");
    throw error;
  }
}

/** Asks a port without pause until it answers. On bare sockets: a client's own start would be part of what is measured. */
export async function firstReply(port: number, path: string): Promise<Reply & { replyMs: number }> {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
  const deadlineMs = nowMs() + timeoutMs;
  while (nowMs() < deadlineMs) {
    const { text, replyMs } = await exchange(port, request);
    if (text === "") continue;
    const [head = "", body = ""] = text.split("\r\n\r\n");
    return { status: Number(head.split(" ")[1]), head, body, replyMs };
  }
  throw new Error(`Cannot reach port "${port}": no reply after ${timeoutMs} ms`);
}

/** All that came back, and when its first byte did; nothing, where nobody listens yet. */
function exchange(port: number, request: string): Promise<{ text: string; replyMs: number }> {
  return new Promise((resolve) => {
    let text = "";
    let replyMs = 0;
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(request));
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      if (text === "") replyMs = nowMs();
      text += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve({ text, replyMs }));
  });
}

/** Ends a process and waits until all that it wrote is read; its exit code. */
export async function stop({ process }: Pick<Wake, "process">): Promise<number | null> {
  process.signal("SIGTERM");
  return (await process.closed).code;
}
