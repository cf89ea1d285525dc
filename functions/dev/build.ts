import { fileURLToPath } from "node:url";
import { shop } from "./shop.ts";

/** Bundles every function into one file that runs on Bun and on Deno alike. */
for (const { name } of shop) {
  const folder = fileURLToPath(new URL(`../${name}/`, import.meta.url));
  const { outputs } = await Bun.build({
    entrypoints: [`${folder}main.ts`],
    outdir: `${folder}dist`,
    target: "node", // with "bun" the CommonJS packages fail on Deno
    format: "esm",
    splitting: true,
    minify: true,
    external: ["pg-native", "cloudflare:sockets"],
  });
  const bytes = outputs.reduce((sum, { size }) => sum + size, 0);
  console.log(`functions/${name}/dist  ${Math.round(bytes / 1024)} kB`);
}
