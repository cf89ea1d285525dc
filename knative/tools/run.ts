import { spawnSync } from "node:child_process";

/** Runs a program in the terminal, or reads what it writes. Throws when it fails. */
export function run(program: string, args: readonly string[], { input = "", read = false } = {}): string {
  const { status, error, stdout } = spawnSync(program, args, {
    input,
    stdio: ["pipe", read ? "pipe" : "inherit", "inherit"],
    encoding: "utf8",
  });
  if (error) throw new Error(`Cannot run "${program}": it has to be on PATH`, { cause: error });
  if (status !== 0) throw new Error(`Cannot run "${program} ${args.join(" ")}": it ended with exit code ${status}`);
  return stdout;
}

/** What a program writes. Throws when it fails. */
export const read = (program: string, args: readonly string[]): string => run(program, args, { read: true });
