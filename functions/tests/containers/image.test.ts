import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { buildCommand, buildImage, words } from "@shop/dev/images";
import { shop } from "@shop/dev/shop";
import { engine, runToEnd } from "./container.ts";
import { imageOf } from "./stage.ts";

const names = shop.map(({ name }) => name);
const user = 65532;

/** What nobody who broke in should find; Bun itself can still install packages, but has nowhere to put them. */
const unwanted = {
  "a shell": /(^|\/)(sh|bash|dash|ash|zsh|busybox|toybox)$/,
  "a package manager": /(^|\/)(apt|apt-get|dpkg|apk|rpm|dnf|yum|npm|npx|yarn|pnpm|bunx|pip\d?)$/,
  node_modules: /(^|\/)node_modules(\/|$)/,
  sources: /\.tsx?$/,
};

describe("an image", () => {
  before(engine);

  it("runs as nobody, and can write nowhere", async () => {
    for (const name of names) {
      const entrypoint = ["/usr/local/bin/bun", "-e"];
      const { code, lines } = await runToEnd(imageOf(name), { entrypoint, args: [attempts] });
      assert.equal(code, 0, lines.join());
      const { uid, gid, writes } = JSON.parse(lines.at(-1) ?? "");
      assert.deepEqual([uid, gid], [user, user], name);
      for (const [path, outcome] of Object.entries(writes))
        assert.match(`${outcome}`, /^E(ROFS|ACCES|NOENT)$/, `${name}: ${path}`);
    }
  });

  it("holds no shell, no package manager, no node_modules and no sources", async () => {
    for (const name of names) {
      const paths = await pathsOf(imageOf(name));
      assert.ok(paths.includes("app/main.js"), name);
      for (const [what, pattern] of Object.entries(unwanted)) {
        assert.deepEqual(
          paths.filter((path) => pattern.test(path)),
          [],
          `${name}: ${what}`,
        );
      }
    }
  });

  it("says what it is, which version, and where it is from", async () => {
    for (const name of names) {
      const { Config } = await (await engine()).getImage(imageOf(name)).inspect();
      const { title, version, revision, source, licenses } = Object.fromEntries(
        Object.entries(Config.Labels).map(([key, value]) => [key.replace("org.opencontainers.image.", ""), value]),
      );
      assert.deepEqual([title, version, licenses], [name, "test", "MIT"]);
      assert.match(`${revision}`, /^([0-9a-f]{40}(-dirty)?|unversioned)$/);
      assert.match(`${source}`, /^https:\/\//);
      assert.equal(Config.User, `${user}:${user}`);
    }
  });

  it("shares every layer but the last with all others", async () => {
    const layers = await Promise.all(names.map((name) => layersOf(imageOf(name))));
    assert.equal(new Set(layers.map((all) => all.slice(0, -1).join())).size, 1);
    assert.equal(new Set(layers.map((all) => all.at(-1))).size, names.length);
  });

  it("that is built again from nothing has the same layers", async () => {
    const command = [...words(buildCommand()), "--no-cache", "--quiet"];
    const again = buildImage("users", { tag: "test-again", command });
    assert.deepEqual(await layersOf(again), await layersOf(imageOf("users")));
    await (await engine()).getImage(again).remove();
  });

  it("whose environment is wrong says all that is wrong in one line, and exits 1", async () => {
    const env = { PORT: "planted", DATABASE_URL: "planted" };
    const { code, lines } = await runToEnd(imageOf("orders"), { env });
    assert.equal(code, 1);
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)).map(({ level, msg }) => [level, msg]),
      [
        [
          "fatal",
          "Cannot start: PORT should be an integer from 1 to 65535; DATABASE_URL should be a postgres:// URL; INVENTORY_SERVICE_URL should be an http:// or https:// URL",
        ],
      ],
    );
  });

  it("refuses an argument that it does not know", async () => {
    const { code, lines } = await runToEnd(imageOf("gateway"), { args: ["migrate"] });
    assert.equal(code, 1);
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).msg),
      ['Cannot run "migrate": should be one of serve'],
    );
  });
});

const layersOf = async (image: string): Promise<string[]> =>
  (await (await engine()).getImage(image).inspect()).RootFS.Layers ?? [];

/** Run inside: who it is, and what comes of an attempt to write into each folder. */
const attempts = `
  const { writeFileSync } = require("node:fs");
  const attempt = (path) => { try { writeFileSync(path + "/planted", ""); return "written"; } catch ({ code }) { return code; } };
  const writes = Object.fromEntries(["", "/app", "/etc", "/home/nonroot", "/tmp", "/usr/local/bin", "/var"].map((path) => [path || "/", attempt(path)]));
  console.log(JSON.stringify({ uid: process.getuid(), gid: process.getgid(), writes }));
`;

/** Every path in an image. */
async function pathsOf(image: string): Promise<string[]> {
  const container = await (await engine()).createContainer({ Image: image });
  try {
    const tar = Bun.spawn(["tar", "-t"], { stdin: "pipe", stdout: "pipe" });
    const listed = new Response(tar.stdout).text();
    for await (const chunk of await container.export()) {
      tar.stdin.write(chunk as Uint8Array);
      await tar.stdin.flush();
    }
    await tar.stdin.end();
    return (await listed).split("\n");
  } finally {
    await container.remove();
  }
}
