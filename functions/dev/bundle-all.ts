import { fileURLToPath } from "node:url";
import { bundlePortable } from "./bundle.ts";
import { shop } from "./shop.ts";

/** Bundles every function into one file that runs on Bun and on Deno alike. */
for (const { name } of shop) {
  const bytes = await bundlePortable(name, fileURLToPath(new URL(`../${name}/dist`, import.meta.url)));
  console.log(`functions/${name}/dist  ${Math.round(bytes / 1024)} kB`);
}
