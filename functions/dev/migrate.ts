import { applyMigrations } from "@shop/platform/migrate";
import { owners, provision } from "./database.ts";
import { openServer } from "./server.ts";

try {
  const server = await openServer({ env: process.env, share: true });
  try {
    const urls = await provision(server.adminUrl);
    for (const { name, migrations } of owners) {
      const applied = await applyMigrations(urls[name], migrations);
      console.log(`${name}: ${applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date"}`);
    }
  } finally {
    await server.close();
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
