import { basename, resolve } from "node:path";
import { format } from "node:util";
import { asError } from "./as-error.ts";
import type { Functions } from "./run.ts";
import type { Current } from "./vu.ts";

export type LoadOptions = {
  modules: Record<string, Record<string, unknown>>;
  env: Record<string, string | undefined>;
  current: Current;
  /** Where the script's console goes. */
  print: (text: string) => void;
};

export type Script = { options: unknown; functions: Functions };

/** Reads a k6 script: its imports of `k6` get the runner's modules, and k6's globals are there. Once a process, as Bun keeps modules. */
export async function loadScript(path: string, { modules, env, current, print }: LoadOptions): Promise<Script> {
  Bun.plugin({
    name: "k6",
    setup(build) {
      for (const [name, exports] of Object.entries(modules)) build.module(name, () => ({ exports, loader: "object" }));
    },
  });
  Object.defineProperties(globalThis, {
    __ENV: { value: env },
    __VU: { get: () => current.get()?.vu.id ?? 0 },
    __ITER: { get: () => current.get()?.number ?? 0 },
    open: { value: notImplemented("open") },
    console: { value: consoleOf(print) },
  });
  const { options, ...exported } = await import(resolve(path)).catch((thrown: unknown) => {
    const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
    throw new Error(`Cannot run "${basename(path)}": ${explain(asError(first))}`);
  });
  const functions = Object.entries(exported).filter((entry): entry is [string, Functions[string]] => {
    return typeof entry[1] === "function";
  });
  return { options, functions: Object.fromEntries(functions) };
}

/** k6's console, which leaves stdout to the summary. */
function consoleOf(print: LoadOptions["print"]) {
  const log = (...values: unknown[]) => print(format(...values));
  return { debug: log, error: log, info: log, log, warn: log };
}

function notImplemented(name: string) {
  return () => {
    throw new Error(`Cannot use "${name}": the runner does not implement it`);
  };
}

type Position = { file: string; line: number; column: number };

/** Bun's words for an import that is not there, in the runner's. */
function explain({ message, position }: Error & { position?: Position | null }): string {
  const [, name, module] = /^Export named '(.+)' not found in module '(k6.*)'/.exec(message) ?? [];
  if (name) return `the runner's "${module}" has no "${name}"`;
  const [, missing] = /^Cannot find (?:package|module) '(k6[^']*)'/.exec(message) ?? [];
  if (missing) return `the runner has "k6", "k6/http" and "k6/metrics", no other module of k6`;
  if (/^ENOENT reading "https?:/.test(message)) return `the runner reads no script from the network (${message})`;
  if (position) return `${message} (${position.file}:${position.line}:${position.column})`;
  return message.replace(` imported from ${import.meta.filename}`, "");
}
