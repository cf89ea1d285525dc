import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The migration that a later image brings along. */
export const laterMigration = "002_later";

/** Puts one more migration into an image, as the next version of a function may have it. */
export async function addMigration(image: string, build: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "shop-later-"));
  try {
    await writeFile(
      join(folder, `${laterMigration}.sql`),
      "-- Up Migration\ncreate table later (id integer primary key);\n",
    );
    await writeFile(join(folder, "Dockerfile"), `FROM ${image}\nCOPY ${laterMigration}.sql /app/migrations/\n`);
    const [program = "", ...args] = [...build, "--quiet", "--tag", image, folder];
    const { status } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
    if (status !== 0) throw new Error(`Cannot add a migration to "${image}": exit code ${status}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}
