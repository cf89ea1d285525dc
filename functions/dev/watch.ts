import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, sep } from "node:path";

export interface WatchOptions {
  /** The folder with one folder per function. */
  folder: string;
  functions: readonly string[];
  /** Changes this close together are one, as when an editor or Git writes many files. */
  quietMs: number;
  onChange: (functions: readonly string[]) => void;
}

/** Tells which functions a change of the sources concerns: the changed one and those that depend on it. */
export async function watchSources({ folder, functions, quietMs, onChange }: WatchOptions): Promise<() => void> {
  const sources = new Map(
    await Promise.all(functions.map(async (name) => [name, await readSources(folder, name)] as const)),
  );
  const changed = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const report = () => {
    const concerned = functions.filter((name) => sources.get(name)?.some((source) => changed.has(source)));
    changed.clear();
    if (concerned.length > 0) onChange(concerned);
  };
  const watcher = watch(folder, { recursive: true }, (_, path) => {
    if (path === null || !isSource(path)) return;
    changed.add(path.split(sep)[0] ?? path);
    clearTimeout(timer);
    timer = setTimeout(report, quietMs);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}

/** The folders whose files a function runs: its own, and the workspaces it depends on. */
async function readSources(folder: string, name: string): Promise<string[]> {
  const { dependencies = {} } = JSON.parse(await readFile(join(folder, name, "package.json"), "utf8"));
  const peers = Object.keys(dependencies).filter((dependency) => dependency.startsWith("@shop/"));
  return [name, ...peers.map((peer) => peer.slice("@shop/".length))];
}

const isSource = (path: string): boolean =>
  !/(^|[/\\])(node_modules|dist|\.[^/\\]*)([/\\]|$)|\.test\.tsx?$|~$/.test(path);
