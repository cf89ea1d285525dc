import { spawnSync } from "node:child_process";

export type RunOptions = {
  /** What the program is run for, in the message of an error. */
  action?: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
};

/** Runs a program in the terminal, to its end. Throws when it fails. */
export const run = (command: readonly string[], options: RunOptions = {}): void =>
  void start(command, "inherit", options);

/** What a program writes. Throws when it fails. */
export const read = (command: readonly string[], options: RunOptions = {}): string => start(command, "pipe", options);

function start(command: readonly string[], stdout: "inherit" | "pipe", { action, ...options }: RunOptions): string {
  const [program = "", ...args] = command;
  const ended = spawnSync(program, args, { ...options, stdio: ["ignore", stdout, "inherit"], encoding: "utf8" });
  const failed = `Cannot ${action ?? `run "${command.join(" ")}"`}: "${program}"`;
  if (ended.error) throw new Error(`${failed} cannot be run`, { cause: ended.error });
  if (ended.status !== 0) throw new Error(`${failed} ended with exit code ${ended.status}`);
  return ended.stdout;
}
