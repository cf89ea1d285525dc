import assert from "node:assert/strict";
import { test } from "node:test";
import { assets, lazyAssets } from "./assets.ts";
import { renderDocs, renderProblems } from "./docs.tsx";
import { renderPage } from "./page.tsx";
import { contentSecurityPolicy } from "./security.ts";

const problems = { out_of_stock: { status: 409, title: "Out of stock" } };
const pages = { page: renderPage(), docs: renderDocs(), problems: renderProblems(problems) };

for (const [name, html] of Object.entries(pages)) {
  test(`${name}: a whole document without inline code and inline style`, () => {
    assert.match(html, /^<!doctype html><html lang="en">.*<\/html>$/s);
    assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:/i);
  });

  test(`${name}: every file it refers to is served by us`, () => {
    const files = [...html.matchAll(/(?:src|<link[^>]*href)="([^"]+)"/g)].map(([, path]) => String(path));
    assert.ok(files.length > 1);
    for (const path of files) assert.ok(path in assets || path in lazyAssets, path);
  });
}

test("every problem code is an anchor of the page that a problem's type points to", () => {
  assert.match(pages.problems, /id="out_of_stock"/);
});

test("no page but the API page may use an inline style, and none inline code", () => {
  assert.doesNotMatch(contentSecurityPolicy, /unsafe|\*|https?:/);
});

test("Swagger UI comes as text on this runtime", async () => {
  for (const [path, load] of Object.entries(lazyAssets)) {
    const { body, type } = await load();
    assert.ok(body.length > 100_000, path);
    assert.match(type, /^text\/(css|javascript); charset=utf-8$/);
  }
});
