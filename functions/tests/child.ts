import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a program in the terminal, from the root of the repository; its exit code. Signals are passed on, and it has to end by itself. */
export async function runChild([program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}
