import type { Progress } from "./run.ts";

export type ProgressOptions = {
  name: string;
  read: () => Progress;
  write: (text: string) => void;
  isTerminal: boolean;
};

const terminalEveryMs = 200;
const plainEveryMs = 5_000;
const clearLine = "\r\x1b[2K";
const cut = (line: string): string => `\x1b[?7l${line}\x1b[?7h`; // at the edge: only one row is cleared

/** Shows where a run stands: one line that changes on a terminal, else a line now and then. */
export function showProgress({ name, read, write, isTerminal }: ProgressOptions) {
  const line = () => progressLine(name, read());
  const timer = isTerminal
    ? setInterval(() => write(`${clearLine}${cut(line())}`), terminalEveryMs)
    : setInterval(() => write(`${line()}\n`), plainEveryMs);
  return {
    /** A line of its own between two of progress. */
    say: (text: string): void => write(isTerminal ? `${clearLine}${text}\n${cut(line())}` : `${text}\n`),
    stop(): void {
      clearInterval(timer);
      write(`${isTerminal ? clearLine : ""}${line()}\n`);
    },
  };
}

export function progressLine(name: string, progress: Progress): string {
  const { phase, elapsedMs, plannedMs, busyVus, complete, interrupted, dropped } = progress;
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)}s`;
  const rate = elapsedMs > 0 ? (complete / elapsedMs) * 1_000 : 0;
  return [
    `${name} ${phase} ${seconds(elapsedMs)} of ${seconds(plannedMs)}`,
    `${busyVus} VUs busy`,
    `${complete} iterations complete (${rate.toFixed(1)}/s)`,
    `${interrupted} interrupted`,
    `${dropped} dropped`,
  ].join(", ");
}
