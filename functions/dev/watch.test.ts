import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "./testing.ts";
import { watchSources } from "./watch.ts";

const functions = ["gateway", "orders", "users"];

/** A folder of functions: gateway and orders know more than themselves. */
async function openFolder() {
  const folder = await mkdtemp(join(tmpdir(), "shop-dev-"));
  const dependencies = {
    platform: {},
    gateway: { "@shop/platform": "workspace:*", "@shop/orders": "workspace:*", hono: "catalog:" },
    orders: { "@shop/platform": "workspace:*" },
    users: { "@shop/platform": "workspace:*" },
  };
  for (const [name, of] of Object.entries(dependencies)) {
    await mkdir(join(folder, name, "node_modules"), { recursive: true });
    await writeFile(join(folder, name, "package.json"), JSON.stringify({ dependencies: of }));
  }
  const changes: string[][] = [];
  const close = await watchSources({ folder, functions, quietMs: 20, onChange: (names) => changes.push([...names]) });
  return {
    changes,
    write: (path: string) => writeFile(join(folder, path), "x"),
    rename: (from: string, to: string) => rename(join(folder, from), join(folder, to)),
    mkdir: (path: string) => mkdir(join(folder, path)),
    [Symbol.dispose]() {
      close();
      rmSync(folder, { recursive: true });
    },
  };
}

test("a change concerns the function and those that depend on it", async () => {
  using folder = await openFolder();
  await folder.write("users/service.ts");
  await until("it is told", () => folder.changes.length === 1);
  await folder.write("orders/contract.ts");
  await until("it is told", () => folder.changes.length === 2);
  assert.deepEqual(folder.changes, [["users"], ["gateway", "orders"]]);
});

test("a change of the platform concerns all", async () => {
  using folder = await openFolder();
  await folder.write("platform/app.ts");
  await until("it is told", () => folder.changes.length > 0);
  assert.deepEqual(folder.changes, [functions]);
});

test("many changes at once are one", async () => {
  using folder = await openFolder();
  for (let n = 0; n < 50; n++) await folder.write(`users/${n}.ts`);
  await folder.write("orders/a.ts");
  await until("it is told", () => folder.changes.length > 0);
  assert.deepEqual(folder.changes, [functions]);
});

test("a file in a new folder and a file replaced by renaming are changes", async () => {
  using folder = await openFolder();
  await folder.mkdir("users/deep");
  await until("the folder is told", () => folder.changes.length === 1);
  await folder.write("users/deep/a.ts");
  await until("its file is told", () => folder.changes.length === 2);
  await folder.rename("users/deep/a.ts", "users/main.ts");
  await until("the replacement is told", () => folder.changes.length === 3);
});

test("tests, installed packages, bundles and editors' leftovers are no sources", async () => {
  using folder = await openFolder();
  for (const path of ["orders/orders.test.ts", "orders/node_modules/x.ts", "orders/.main.ts.swp", "orders/main.ts~"]) {
    await folder.write(path);
  }
  await folder.write("users/main.ts");
  await until("the source is told", () => folder.changes.length > 0);
  assert.deepEqual(folder.changes, [["users"]]);
});
