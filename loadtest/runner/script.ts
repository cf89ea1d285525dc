import { basename, resolve } from "node:path";
import type { Functions } from "./run.ts";
import type { Current } from "./vu.ts";

export type LoadOptions = {
  modules: Record<string, Record<string, unknown>>;
  env: Record<string, string | undefined>;
  current: Current;
};

export type Script = { options: unknown; functions: Functions };

/** Reads a k6 script: its imports of `k6` get the runner's modules, and k6's globals are there. Once a process, as Bun keeps modules. */
export async function loadScript(path: string, { modules, env, current }: LoadOptions): Promise<Script> {
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
  });
  const { options, ...exported } = await import(resolve(path)).catch((error: Error) => {
    throw new Error(`Cannot run "${basename(path)}": ${explain(error)}`);
  });
  const functions = Object.entries(exported).filter((entry): entry is [string, Functions[string]] => {
    return typeof entry[1] === "function";
  });
  return { options, functions: Object.fromEntries(functions) };
}

function notImplemented(name: string) {
  return () => {
    throw new Error(`Cannot use "${name}": the runner does not implement it`);
  };
}

/** Bun's words for an import that is not there, in the runner's. */
function explain({ message }: Error): string {
  const [, name, module] = /^Export named '(.+)' not found in module '(k6.*)'/.exec(message) ?? [];
  if (name) return `the runner's "${module}" has no "${name}"`;
  const [, missing] = /^Cannot find (?:package|module) '(k6[^']*)'/.exec(message) ?? [];
  if (missing) return `the runner has "k6", "k6/http" and "k6/metrics", no other module of k6`;
  if (/https?:\/\//.test(message)) return `the runner reads no script from the network (${message})`;
  return message;
}
