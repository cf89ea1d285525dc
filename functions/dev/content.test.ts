import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { contentTag, digestOf } from "./content.ts";
import { shop } from "./shop.ts";

async function digest(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "shop-digest-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return await digestOf(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("the tag of an image's content", () => {
  it("is the same as long as the content is, another one for each function, and fit for a Job's name", async () => {
    const tags = await Promise.all(shop.map(({ name }) => contentTag(name)));
    assert.equal(new Set(tags).size, shop.length);
    for (const tag of tags) assert.match(tag, /^[0-9a-f]{12}$/);
    assert.deepEqual(await Promise.all(shop.map(({ name }) => contentTag(name))), tags);
  });

  it("changes with the Dockerfile", async () => {
    const text = await readFile(new URL("../Dockerfile", import.meta.url), "utf8");
    const folder = await mkdtemp(join(tmpdir(), "shop-dockerfile-"));
    try {
      const dockerfile = join(folder, "Dockerfile");
      const tagWith = async (content: string) => {
        await writeFile(dockerfile, content);
        return contentTag("users", { dockerfile });
      };
      const tag = await contentTag("users");
      assert.equal(await tagWith(text), tag);
      assert.notEqual(await tagWith(`${text}# and a line more`), tag);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("changes with a byte, a name, a file more, and what moves from one file to the next", async () => {
    const before = { "main.js": "ab", "migrations/001.sql": "c" };
    const others = [
      { "main.js": "aB", "migrations/001.sql": "c" },
      { "main.js": "ab", "migrations/002.sql": "c" },
      { "main.js": "ab", "001.sql": "c" },
      { "main.js": "ab", "migrations/001.sql": "c", "migrations/002.sql": "" },
      { "main.js": "a", "migrations/001.sql": "bc" },
    ];
    assert.equal(await digest(before), await digest(Object.fromEntries(Object.entries(before).reverse())));
    assert.equal(new Set(await Promise.all([before, ...others].map(digest))).size, 1 + others.length);
  });
});
