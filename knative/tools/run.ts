import { spawnSync } from "node:child_process";

/** Runs a program in the terminal. Throws when it fails. */
export function run(program: string, args: readonly string[], input?: string): void {
  const stdin = input === undefined ? "ignore" : "pipe";
  const { status, error } = spawnSync(program, args, { input, stdio: [stdin, "inherit", "inherit"] });
  if (error) throw new Error(`Cannot run "${program}": it has to be on PATH`, { cause: error });
  if (status !== 0) throw new Error(`Cannot run "${program} ${args.join(" ")}": it ended with exit code ${status}`);
}

/** What a program writes; undefined when it fails. */
export function ask(program: string, args: readonly string[]): string | undefined {
  const { status, error, stdout } = spawnSync(program, args, { encoding: "utf8" });
  if (error) throw new Error(`Cannot run "${program}": it has to be on PATH`, { cause: error });
  return status === 0 ? stdout : undefined;
}
