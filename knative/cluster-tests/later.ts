import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@shop/dev/run";

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
    run([...build, "--quiet", "--tag", image, folder], { action: `add a migration to "${image}"` });
  } finally {
    await rm(folder, { recursive: true });
  }
}
