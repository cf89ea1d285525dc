import assert from "node:assert/strict";
import { problems } from "@shop/platform/problem";
import { shopInBrowser } from "./fixture.ts";

const { api, testVisit } = shopInBrowser();

testVisit("/docs shows every operation of the public API", async ({ page }) => {
  const { paths } = await api<{ paths: Record<string, object> }>("/openapi.json");
  const operations = Object.values(paths).flatMap((path) => Object.keys(path));
  await page.goto("/docs");
  await page.locator(".opblock").first().waitFor();
  assert.equal(await page.locator(".opblock").count(), operations.length);

  const users = page.locator("#operations-default-getApiUsers");
  await users.getByRole("button").first().click();
  await users.getByRole("button", { name: "Try it out" }).click();
  await users.getByRole("button", { name: "Execute" }).click();
  await users.getByText("Alice").first().waitFor();
});

testVisit("/docs/problems has an anchor for every code", async ({ page }) => {
  for (const [code, { title }] of Object.entries(problems)) {
    await page.goto(`/docs/problems#${code}`);
    await page.locator(":target").filter({ hasText: code }).filter({ hasText: title }).waitFor();
  }
});
