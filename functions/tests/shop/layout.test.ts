import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const ignored = new Set(["node_modules", "dist", ".git", ".data"]);
const files = filesBelow(root).map((path) => relative(root, path));
const read = (path: string) => readFileSync(join(root, path), "utf8");

const functions = ["inventory", "orders", "users", "gateway", "frontend"];
const owners = ["inventory", "orders", "users"];
const sources = files.filter((path) => /^functions\/.*\.tsx?$/.test(path) && !/\.d\.ts$/.test(path));
const isTest = (path: string) => /\.test\.tsx?$|\/testing\.ts$/.test(path) || path.startsWith("functions/tests/");

/** Not `recursive: true`: the links of node_modules lead round in a circle. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !ignored.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

type Import = { file: string; folder: string; target: string; typeOnly: boolean };

function importsOf(file: string): Import[] {
  const folder = file.split("/")[1] ?? "";
  const pattern = /^(?:import|export)\s+(type\s)?[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|import\("([^"]+)"/gm;
  return [...read(file).matchAll(pattern)].map((match) => ({
    file,
    folder,
    target: match[2] ?? match[3] ?? match[4] ?? "",
    typeOnly: match[1] !== undefined,
  }));
}

/** What each role may import as values; of the platform any type. */
const arrows: Record<string, RegExp> = {
  "contract.ts": /^(valibot|@shop\/\w+\/contract)$/,
  "config.ts": /^@shop\/platform\/config$/,
  "store.ts": /^(\.|@shop\/\w+)\/contract(\.ts)?$/,
  "store.postgres.ts": /^(\.\/(store|contract)\.ts|@shop\/platform\/database)$/,
  "service.ts": /^(\.\/(store|contract)\.ts|@shop\/(platform\/problem|\w+\/contract)|uuid|valibot|node:crypto)$/,
  "routes.ts":
    /^(\.\/(service|contract|page|docs|assets|security)\.tsx?|@shop\/(platform\/(api|app|call|problem)|\w+\/contract)|hono(\/\w+)?|valibot)$/,
  "main.ts": /^(\.\/[\w.]+\.ts|@shop\/platform\/\w+)$/,
};

function strayImports(all: Import[]): string[] {
  return all
    .filter(({ file, folder, target, typeOnly }) => {
      const role = arrows[basename(file)];
      if (folder === "platform") return /^@shop\//.test(target) && !isTest(file);
      if (!functions.includes(folder) || isTest(file)) return false;
      if (/^@shop\/(?!platform\/)(?!\w+\/contract$)/.test(target)) return true;
      if (/^\.\.\//.test(target)) return true;
      return role !== undefined && !role.test(target) && !(typeOnly && /^(@shop\/platform\/|\.\/store)/.test(target));
    })
    .map(({ file, target }) => `${file} imports ${target}`);
}

describe("layout", () => {
  it("dependencies point one way: main → routes → service → store → contract, and no function into another's inside", () => {
    assert.deepEqual(strayImports(sources.flatMap(importsOf)), []);
  });

  it("finds an arrow that points the wrong way", () => {
    const wrong = (file: string, target: string): Import => ({
      file,
      folder: file.split("/")[1] ?? "",
      target,
      typeOnly: false,
    });
    const planted = [
      wrong("functions/orders/service.ts", "hono"),
      wrong("functions/orders/service.ts", "./store.postgres.ts"),
      wrong("functions/orders/store.ts", "./service.ts"),
      wrong("functions/gateway/service.ts", "@shop/orders/service"),
      wrong("functions/platform/app.ts", "@shop/orders/contract"),
      wrong("functions/users/routes.ts", "../orders/contract.ts"),
    ];
    assert.equal(strayImports(planted).length, planted.length);
  });

  it("every function has the same files, absent where it does not need them", () => {
    const common = ["config.ts", "main.ts", "package.json", "routes.ts"];
    const ofOwner = ["contract.ts", "migrations", "seed.sql", "service.ts", "store.postgres.ts", "store.ts"];
    const own: Record<string, string[]> = {
      gateway: ["contract.ts", "service.ts"],
      frontend: files
        .filter((path) => path.startsWith("functions/frontend/"))
        .map((path) => path.split("/")[2] ?? "")
        .filter((name) => /^(page|docs|layout|pictures|assets|security|icon|text|jsconfig)\.|^screenshots$/.test(name)),
    };
    for (const name of functions) {
      const found = files
        .filter((path) => path.startsWith(`functions/${name}/`) && !isTest(path))
        .map((path) => path.split("/")[2] ?? "");
      const known = [...common, ...(owners.includes(name) ? ofOwner : (own[name] ?? []))];
      assert.deepEqual(
        found.filter((file) => !known.includes(file)),
        [],
        name,
      );
      assert.deepEqual(
        common.filter((file) => !found.includes(file)),
        [],
        name,
      );
    }
  });

  it("only platform/serve.ts names a runtime, only main.ts reads the environment, and no function keeps a timer", () => {
    for (const file of sources.filter(
      (path) => [...functions, "platform"].includes(path.split("/")[1] ?? "") && !isTest(path),
    )) {
      const code = read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      const name = basename(file);
      if (name !== "serve.ts") assert.doesNotMatch(code, /\b(Bun|Deno)\./, file);
      if (name !== "main.ts") assert.doesNotMatch(code, /process\.env/, file);
      assert.doesNotMatch(code, /\bsetInterval\b/, file);
    }
  });

  it("the top level has the project's names and no others", () => {
    const allowed =
      /^(package\.json|bunfig\.toml|bun\.lock|tsconfig\.json|biome\.json|README\.md|LICENSE|\.ci|\.editorconfig|\.gitignore|\.dockerignore|functions|knative|gitops|pipelines|monitoring|loadtest)$/;
    const names = new Set(files.map((path) => path.split("/")[0] ?? ""));
    assert.deepEqual(
      [...names].filter((name) => !allowed.test(name)),
      [],
    );
    for (const name of ["package.json", "bunfig.toml", "bun.lock", "README.md", "LICENSE"])
      assert.ok(names.has(name), name);
  });

  it("every path and every script named in a README exists", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const readmes = files.filter((path) => basename(path) === "README.md");
    assert.ok(readmes.length > 0);
    for (const readme of readmes) {
      const text = read(readme);
      for (const [, script] of text.matchAll(/\bbun(?:@[\d.]+)? run ([\w:]+)/g)) {
        assert.ok(script && script in scripts, `${readme} names the script "${script}"`);
      }
      const inline = [...text.matchAll(/`([\w.@-]+(?:\/[\w.@-]+)*\/?)`/g)].map((match) => match[1] ?? "");
      const paths = inline.filter(
        (name) =>
          /\/|\.(ts|tsx|js|json|sql|md|toml|yaml)$/.test(name) && !/^(application\/|text\/|\.data\/)/.test(name),
      );
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? "");
      for (const path of [...paths, ...links]) {
        const places = [join(root, path), join(root, dirname(readme), path)];
        const found = places.some(existsSync) || files.some((file) => basename(file) === path);
        assert.ok(found, `${readme} names "${path}"`);
      }
    }
  });

  it("every dependency is pinned exactly, by the catalog", () => {
    const { workspaces, trustedDependencies } = JSON.parse(read("package.json")) as {
      workspaces: { catalog: Record<string, string> };
      trustedDependencies: string[];
    };
    assert.deepEqual(trustedDependencies, []);
    for (const version of Object.values(workspaces.catalog)) assert.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/);
    for (const path of files.filter((name) => basename(name) === "package.json")) {
      const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read(path)) as Record<
        string,
        Record<string, string>
      >;
      for (const version of Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
        assert.match(version, /^(catalog:|workspace:\*)$/, path);
      }
    }
  });
});
