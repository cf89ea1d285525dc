import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { shopInBrowser, showAll } from "./fixture.ts";

const { testPage } = shopInBrowser();

for (const colorScheme of ["light", "dark"] as const) {
  testPage(
    `at 360 px, ${colorScheme}: no sideways scrolling, every control has a name, every text has contrast AA`,
    async ({ page }) => {
      await showAll(page);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
      assert.deepEqual(await namelessControls(page), []);
      assert.deepEqual(await page.evaluate(paleTexts), []);
    },
    { viewport: { width: 360, height: 740 }, colorScheme },
  );
}

/** The controls that assistive technology would announce without a name. */
async function namelessControls(page: Page): Promise<unknown[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const controls = nodes.filter(({ role }) => ["button", "radio", "spinbutton", "link", "log"].includes(role?.value));
  assert.ok(controls.length > 10);
  return controls.filter(({ name }) => !name?.value);
}

/** Texts whose colour has less than 4.5:1 to the first opaque ground behind them (WCAG 2.2, 1.4.3), as HTML. */
const paleTexts = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (color) => {
    const [red, green, blue] = parse(color).map((value) => linear(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    const { backgroundColor } = getComputedStyle(node);
    return parse(backgroundColor)[3] === 0 ? ground(node.parentElement) : backgroundColor;
  };
  const contrast = (node) => {
    const [light, dark] = [getComputedStyle(node).color, ground(node)].map(luminance).sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((node) => node.checkVisibility() && hasText(node) && contrast(node) < 4.5)
    .map((node) => node.outerHTML);
})()`;

/** The pictures of the README. */
const folder = fileURLToPath(new URL("../../frontend/screenshots/", import.meta.url));
const pictures = {
  wide: { viewport: { width: 1280, height: 800 } },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 } },
} as const;

for (const [name, options] of Object.entries(process.env.UPDATE_SCREENSHOTS === "1" ? pictures : {})) {
  testPage(
    `screenshot ${name}`,
    async ({ page }) => {
      await showAll(page);
      await page.evaluate("scrollTo(0, 0)");
      await page.mouse.move(0, 0);
      await mkdir(folder, { recursive: true });
      await page.screenshot({ path: `${folder}${name}.png` });
    },
    options,
  );
}
