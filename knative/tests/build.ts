import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { Manifest } from "./manifest.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Every folder that is applied by itself. */
export const overlays = ["environments/local", "environments/production", "serving/local", "serving/production"];

/** What `kubectl apply -k` would send for a folder of this one, in kustomize's order. */
export function build(overlay: string): Manifest[] {
  const { error, status, stdout, stderr } = spawnSync("kubectl", ["kustomize", overlay], {
    cwd: root,
    encoding: "utf8",
  });
  if (error) throw new Error(`Cannot build "${overlay}": kubectl is needed on PATH (${error.message})`);
  if (status !== 0) throw new Error(`Cannot build "${overlay}": ${stderr.trim()}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}
