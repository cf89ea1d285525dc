import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubectl } from "./api.ts";

/** Keeps this process on the cluster of the current context, whatever anybody makes current meanwhile. */
export async function keepContext(): Promise<AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), "shop-context-"));
  const file = join(folder, "kubeconfig");
  await writeFile(file, await kubectl("config", "view", "--minify", "--flatten", "--raw"), { mode: 0o600 });
  const before = process.env.KUBECONFIG ?? "";
  process.env.KUBECONFIG = file;
  return {
    async [Symbol.asyncDispose]() {
      process.env.KUBECONFIG = before;
      await rm(folder, { recursive: true });
    },
  };
}
