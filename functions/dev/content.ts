import { createHash } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleBytecode } from "./bundle.ts";

const ours = fileURLToPath(new URL("../Dockerfile", import.meta.url));

/** A tag for a function's image that changes with its program, its SQL and the Dockerfile, but not with a base image that is another one under the same name. */
export async function contentTag(name: string, { dockerfile = ours } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "shop-content-"));
  try {
    await bundleBytecode(name, folder);
    await copyFile(dockerfile, join(folder, "Dockerfile"));
    return (await digestOf(folder)).slice(0, 12);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The SHA-256 of a folder's files and their names, in hexadecimal. */
export async function digestOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const path of (await Array.fromAsync(new Bun.Glob("**").scan(folder))).sort()) {
    hash.update(path).update(await readFile(join(folder, path)));
  }
  return hash.digest("hex");
}
