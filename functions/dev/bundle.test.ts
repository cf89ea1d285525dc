import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bundleBytecode, bundlePortable } from "./bundle.ts";

const page = /\("html",\{lang:"en"/;
/** What Bun adds to each element for development: no key, not static, no source, whose it is. */
const development = /,void 0,![01],void 0,this\)/;

describe("a bundle of the page", () => {
  for (const [form, bundle] of Object.entries({ bundlePortable, bundleBytecode })) {
    it(`by ${form} has the JSX of production, not that of development`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "shop-bundle-"));
      try {
        await bundle("frontend", folder);
        const program = await readFile(join(folder, "main.js"), "utf8");
        const found = { page: page.test(program), development: development.test(program) };
        assert.deepEqual(found, { page: true, development: false });
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
