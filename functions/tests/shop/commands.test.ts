import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, parse } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { bundleBytecode } from "@shop/dev/bundle";
import { type OwnerUrls, owners, provision } from "@shop/dev/database";
import { startProcess } from "@shop/dev/process";
import { shop } from "@shop/dev/shop";
import { ownServer } from "@shop/platform/testing";
import pg from "pg";
import { runtimeCommand } from "../shop.ts";

const functions = fileURLToPath(new URL("../..", import.meta.url));
const marker = "pg_advisory_lock"; // of what only migrations need
let scratch: string;

/** The forms in which a function can be started, each with its program. */
const forms = {
  "from sources": { runtime: "bun", program: (name: string) => `${functions}${name}/main.ts` },
  "bundled, on Bun": { runtime: "bun", program: (name: string) => `${functions}${name}/dist/main.js` },
  "bundled, on Deno": { runtime: "deno", program: (name: string) => `${functions}${name}/dist/main.js` },
  "as bytecode": { runtime: "bun", program: (name: string) => `${scratch}/${name}/main.js` },
} as const;
type Form = (typeof forms)[keyof typeof forms];

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "shop-commands-"));
  for (const { name } of shop) await bundleBytecode(name, join(scratch, name));
});
after(() => rm(scratch, { recursive: true }));

/** Runs a function with its arguments to its end: the exit code, and each line's level and message. */
async function run({ runtime, program }: Form, name: string, args: string[], env: Record<string, string> = {}) {
  const lines: string[] = [];
  const { closed } = startProcess({
    command: [...runtimeCommand(runtime), program(name), ...args],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    orphanSignal: "SIGKILL",
    onLine: (line) => lines.push(line),
  });
  const { code } = await closed;
  return { code, said: lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level}: ${msg}`) };
}

const said = (...lines: string[]) => ({ code: 0, said: lines });
const refused = (line: string) => ({ code: 1, said: [`fatal: ${line}`] });

for (const [title, form] of Object.entries(forms)) {
  describe(`the commands ${title}`, () => {
    let server: Awaited<ReturnType<typeof ownServer>>;
    let urls: OwnerUrls;
    before(async () => {
      server = await ownServer();
      urls = await provision(server.url);
    });
    after(() => server.stop());

    it("migrate needs nothing but its database; of two at once one applies all, and again changes nothing", async () => {
      for (const { name, migrations } of owners) {
        const env = { DATABASE_URL: urls[name] };
        const all = (await readdir(migrations)).map((file) => parse(file).name).sort();
        const both = await Promise.all([run(form, name, ["migrate"], env), run(form, name, ["migrate"], env)]);
        assert.deepEqual(both.flatMap((one) => one.said).sort(), [
          `info: applied ${all.join(", ")}`,
          "info: up to date",
        ]);
        assert.deepEqual(
          both.map(({ code }) => code),
          [0, 0],
        );
        assert.deepEqual(await run(form, name, ["migrate"], env), said("info: up to date"));
      }
    });

    it("seed inserts the rows that are missing, and no others", async () => {
      for (const [name, table] of [
        ["inventory", "items"],
        ["users", "users"],
      ] as const) {
        const env = { DATABASE_URL: urls[name] };
        const rows = () => query(urls[name], `select * from ${table} order by 1`);
        assert.deepEqual(await run(form, name, ["seed"], env), said("info: seeded"));
        const before = await rows();
        assert.ok(before.length > 0);
        await query(urls[name], `delete from ${table} where ctid = (select max(ctid) from ${table})`);
        assert.deepEqual(await run(form, name, ["seed"], env), said("info: seeded"));
        assert.deepEqual(await rows(), before);
      }
    });

    it("a database that cannot be reached is one clear line, and exit code 1", async () => {
      const { code, said } = await run(form, "users", ["migrate"], { DATABASE_URL: "postgres://127.0.0.1:1/users" });
      assert.equal(code, 1);
      assert.equal(said.length, 1);
      assert.match(said[0] ?? "", /^fatal: Cannot migrate "users": .*ECONNREFUSED/);
    });
  });
}

describe("a command", () => {
  const form = forms["from sources"];

  it("that a function does not have is refused, with those that it has", async () => {
    const known = {
      orders: "serve, settle, migrate",
      inventory: "serve, migrate, seed",
      users: "serve, migrate, seed",
    };
    for (const { name } of shop) {
      const expected = `should be one of ${known[name as keyof typeof known] ?? "serve"}`;
      for (const wrong of ["no-such", "toString", "serve migrate"]) {
        assert.deepEqual(await run(form, name, wrong.split(" ")), refused(`Cannot run "${wrong}": ${expected}`));
      }
    }
  });

  it("without its database says so", async () => {
    assert.deepEqual(
      await run(form, "orders", ["migrate"]),
      refused("Cannot start: DATABASE_URL should be a postgres:// URL"),
    );
  });
});

describe("a start", () => {
  for (const title of ["bundled, on Bun", "as bytecode"] as const) {
    it(`${title}, reads nothing that only migrations need`, async () => {
      for (const { name } of owners) {
        const main = forms[title].program(name);
        assert.ok((await textOf(main)).length > 100_000);
        assert.ok(!(await textOf(main)).includes(marker), name);
        const beside = await Promise.all(
          (await readdir(parse(main).dir))
            .filter((file) => file.endsWith(".js"))
            .map((file) => readFile(join(parse(main).dir, file), "utf8")),
        );
        assert.ok(
          beside.some((text) => text.includes(marker)),
          name,
        );
      }
    });
  }
});

/** A program and all that it imports at once. */
async function textOf(file: string, seen = new Set<string>()): Promise<string> {
  if (seen.has(file)) return "";
  seen.add(file);
  const text = await readFile(file, "utf8");
  const imported = [...text.matchAll(/(?:from|import)"(\.\/[\w-]+\.js)"/g)].map(([, path = ""]) =>
    join(parse(file).dir, path),
  );
  return text + (await Promise.all(imported.map((path) => textOf(path, seen)))).join("");
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}
