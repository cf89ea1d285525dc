import { copyFile, cp, mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildConfig, BunPlugin } from "bun";

const common = {
  minify: true,
  external: ["pg-native", "pg-cloudflare"],
  define: { "process.env.NODE_ENV": '"production"' }, // without it Bun makes the JSX of development
} satisfies Partial<BuildConfig>;

const folder = (name: string) => fileURLToPath(new URL(`../${name}/`, import.meta.url));

/** Bundles a function for Bun and Deno alike, beside the SQL that its commands read; its size in bytes. */
export async function bundlePortable(name: string, outdir: string): Promise<number> {
  const { outputs } = await Bun.build({
    ...common,
    entrypoints: [`${folder(name)}main.ts`],
    outdir,
    target: "node", // with "bun" the CommonJS packages fail on Deno
    format: "esm",
    splitting: true,
  });
  await copySql(name, outdir);
  return outputs.reduce((sum, { size }) => sum + size, 0);
}

/** Bundles a function for its image: bytecode of this very version of Bun, which starts in less time. */
export async function bundleBytecode(name: string, outdir: string): Promise<void> {
  await mkdir(outdir, { recursive: true });
  await compile(`${folder(name)}main.ts`, { outdir, bytecode: true });
  await copySql(name, outdir);
}

async function compile(file: string, { outdir, bytecode }: { outdir: string; bytecode: boolean }): Promise<void> {
  const late = new Set<string>();
  await Bun.build({
    ...common,
    entrypoints: [file],
    outdir,
    target: "bun",
    format: "cjs", // as ES modules only an executable has bytecode, and then a whole Bun of its own
    bytecode,
    plugins: [apart(late)],
  });
  for (const one of late) {
    await (isCode(one) ? compile(one, { outdir, bytecode: false }) : copyFile(one, join(outdir, basename(one))));
  }
}

const isCode = (file: string) => file.endsWith(".ts");

/** Leaves what our own code imports only when it needs it in files beside the program: a start does not read them. */
function apart(late: Set<string>): BunPlugin {
  return {
    name: "apart",
    setup(bundler) {
      bundler.onResolve({ filter: /./ }, ({ path, importer, kind }) => {
        if (kind !== "dynamic-import" || importer.includes("node_modules")) return undefined;
        const file = Bun.resolveSync(path, dirname(importer));
        late.add(file);
        return { path: `./${basename(file).replace(/\.ts$/, ".js")}`, external: true };
      });
    },
  };
}

async function copySql(name: string, outdir: string): Promise<void> {
  for (const sql of ["migrations", "seed.sql"]) {
    await rm(join(outdir, sql), { recursive: true, force: true }); // a migration that is gone from the sources must not run
    await cp(join(folder(name), sql), join(outdir, sql), { recursive: true }).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
}
