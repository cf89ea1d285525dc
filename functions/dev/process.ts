import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

export interface ProcessOptions {
  command: readonly [program: string, ...args: string[]];
  cwd?: string;
  env?: Readonly<Record<string, string | undefined>>;
  uid?: number;
  gid?: number;
  /** What the program receives when this process is gone, however it went. */
  orphanSignal: "SIGINT" | "SIGKILL";
  /** Called for each line of output; without it the output is discarded. */
  onLine?: (line: string, stream: "stdout" | "stderr") => void;
}

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  pid: number;
  /** False when the program is gone already. */
  signal(name: NodeJS.Signals): boolean;
  /** The program is gone; its last lines may still be on their way. */
  exited: Promise<ProcessExit>;
  /** The program is gone and its output read to the end. */
  closed: Promise<ProcessExit>;
}

// The shell becomes the program (`exec`), so `$$` is the program's pid. Before, it leaves a guard that reads our pipe, which
// ends when the program or we do. The guard is in the program's process group, so the number cannot pass to another process.
const guarded = (signal: string) => `exec 3<&0 </dev/null
(trap '' INT TERM HUP; { read -r _ <&3; kill -s ${signal} $$; } >/dev/null 2>&1 &)
exec 3<&- "$@"`;

/** Starts a program in a process group of its own that never outlives this process, not even after `kill -9`. */
export function startProcess(options: ProcessOptions): RunningProcess {
  const { command, orphanSignal, onLine, ...rest } = options;
  const output = onLine ? "pipe" : "ignore";
  const child = spawn("/bin/sh", ["-c", guarded(orphanSignal.slice(3)), "guard", ...command], {
    ...rest,
    env: rest.env ?? process.env,
    detached: true,
    stdio: ["pipe", output, output],
  });
  const exited = new Promise<ProcessExit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  const closed = new Promise<ProcessExit>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );
  child.on("error", () => {});
  if (child.pid === undefined) throw new Error(`Cannot start "${command[0]}": no such folder "${rest.cwd ?? "."}"`);
  if (onLine && child.stdout && child.stderr) {
    eachLine(child.stdout, (line) => onLine(line, "stdout"));
    eachLine(child.stderr, (line) => onLine(line, "stderr"));
  }
  const { pid } = child;
  let gone = false;
  child.once("exit", () => {
    gone = true;
  });
  // Not `child.kill`: after it Deno reports the signal, whatever the program's exit code.
  return { pid, signal: (name) => !gone && process.kill(pid, name), exited, closed };
}

// Not node:readline: it also splits at U+2028, which JSON leaves as it is.
function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => rest && onLine(rest));
}
