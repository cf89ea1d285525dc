import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { problems } from "@shop/platform/problem";
import type { Browser, BrowserContextOptions, Page, Route } from "playwright-core";
import { type Shop, startShop } from "../shop.ts";
import { launchBrowser, type Visit, visit } from "./browser.ts";

const suiteTimeout = { timeout: 60_000 };
let shop: Shop;
let browser: Browser;

before(async () => {
  [shop, browser] = await Promise.all([startShop(), launchBrowser()]);
}, suiteTimeout);

after(async () => {
  await browser?.close();
  await shop?.stop();
}, suiteTimeout);

/** A test on the shop's page as a new visitor sees it, its products shown; a fault of the page fails it at the end. */
function testPage(guarantee: string, work: (visit: Visit) => Promise<void>, options: BrowserContextOptions = {}) {
  test(guarantee, suiteTimeout, async () => {
    const visitor = await visit(browser, shop.frontendUrl, options);
    await visitor.page.goto(shop.frontendUrl);
    await visitor.page.getByText("in stock").first().waitFor();
    await work(visitor);
    assert.deepEqual(visitor.faults, []);
    await visitor.page.context().close();
  });
}

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const notice = (page: Page, text: string) => page.getByRole("status").filter({ hasText: text }).waitFor();
const entry = (page: Page, text: string) => page.getByRole("log").getByRole("listitem").filter({ hasText: text });
const card = (page: Page, name: string) => page.locator("label").filter({ hasText: name });

async function available(item: string): Promise<number> {
  const stock = (await (await fetch(`${shop.gatewayUrl}/api/inventory`)).json()) as Record<string, number>;
  return stock[item] as number;
}

async function order(page: Page, name: string, quantity: number): Promise<void> {
  await card(page, name).click();
  await page.getByLabel("Quantity").fill(String(quantity));
  await button(page, "Create Order").click();
}

testPage(
  "an order placed by mouse is answered, shown in the stock and among the visitor's orders",
  async ({ page }) => {
    const before = await available("item1");
    await order(page, "Enamel mug", 2);
    await notice(page, "Order placed! 2 × Enamel mug for €29.00. ORDER-");
    await card(page, "Enamel mug")
      .getByText(`${before - 2} in stock`)
      .waitFor();
    await page.locator("#orders").getByText("confirmed").waitFor();
    await entry(page, "Order placed! ORDER-").filter({ hasText: "201" }).waitFor();
    assert.equal(await available("item1"), before - 2);
  },
);

testPage("the stock and the users are shown when asked for", async ({ page, requests }) => {
  assert.ok(!requests.includes("GET /api/users"), "a page that is only looked at wakes no more than the products");
  await button(page, "Get Inventory").click();
  await page.locator("#inventory").getByText("item3").waitFor();
  await button(page, "Get Users").click();
  await page.locator("#users").getByText("Alice").waitFor();
  await page.locator("#users").getByText("Bob").waitFor();
});

testPage("an order for more than there is is refused in friendly words and takes nothing", async ({ page }) => {
  const before = await available("item2");
  await order(page, "Wool blanket", 999);
  await notice(page, "Not enough in stock");
  await entry(page, "409").waitFor();
  assert.equal(await available("item2"), before);
  await order(page, "Wool blanket", 1);
  await notice(page, "Order placed!");
});

testPage("by keyboard alone an order is placed and one refused, stock and users are shown", async ({ page }) => {
  await tabTo(page, "Enamel mug");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await tabTo(page, "Quantity");
  await page.keyboard.type("2");
  await tabTo(page, "Create Order");
  await page.keyboard.press("Enter");
  await notice(page, "Order placed! 2 × Beeswax candle");
  await tabTo(page, "Quantity", "Shift+Tab");
  await page.keyboard.type("999");
  await page.keyboard.press("Enter");
  await notice(page, "Not enough in stock");
  await tabTo(page, "Get Inventory");
  await page.keyboard.press("Space");
  await page.locator("#inventory").getByText("item3").waitFor();
  await tabTo(page, "Get Users");
  await page.keyboard.press("Space");
  await page.locator("#users").getByText("Alice").waitFor();
});

/** Presses Tab until the control of that name has the focus, and a visible ring. */
async function tabTo(page: Page, name: string, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press(key);
    const focus = await page.evaluate<{ name: string; ring: string }>(`(() => {
      const control = document.activeElement;
      const label = control.labels?.[0];
      const ring = [control, label].map((node) => node && getComputedStyle(node).outlineStyle);
      return { name: (label ?? control).textContent, ring: ring.find((style) => style !== "none") ?? "none" };
    })()`);
    if (!focus.name.includes(name)) continue;
    assert.equal(focus.ring, "solid", `"${name}" shows that it has the focus`);
    return;
  }
  assert.fail(`Cannot reach "${name}" by ${key}`);
}

/** Notes the key of every order the page sends. */
function noteKeys(page: Page): string[] {
  const keys: string[] = [];
  page.on("request", (request) => {
    const key = request.headers()["idempotency-key"];
    if (key) keys.push(key);
  });
  return keys;
}

const answerOrders = (page: Page, answer: (route: Route) => Promise<void>) =>
  page.route("**/api/orders", (route) => (route.request().method() === "POST" ? answer(route) : route.continue()));

testPage("an order whose answer is lost keeps its key over a reload and is placed once", async ({ page }) => {
  const keys = noteKeys(page);
  const before = await available("item3");
  await answerOrders(page, async (route) => {
    await route.fetch(); // the shop has placed the order, but its answer never arrives
    await route.abort();
  });
  await order(page, "Beeswax candle", 3);
  await notice(page, "No answer");
  await page.unrouteAll();

  await page.reload();
  await notice(page, "3 × item3: ask again");
  await page.getByText("€20.70").waitFor();
  await button(page, "Ask again").click();
  await notice(page, "Order placed! 3 × Beeswax candle");
  assert.equal(await available("item3"), before - 3);

  await button(page, "Create Order").click();
  await entry(page, "201").nth(1).waitFor();
  assert.equal(await available("item3"), before - 6);
  assert.equal(keys.length, 3);
  assert.equal(keys[0], keys[1]);
  assert.notEqual(keys[1], keys[2]);
  assert.match(String(keys[0]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

const pending = { success: true, orderId: "ORDER-1", message: "Order accepted!", status: "PENDING", lines: [] };

for (const [status, title] of [
  [202, "Accepted, being settled"],
  [502, "Bad gateway"],
  [503, "Service unavailable"],
  [504, "Deadline exceeded"],
] as const) {
  testPage(`after ${status} the page asks again with the same key and the same body`, async ({ page }) => {
    const keys = noteKeys(page);
    const json = status === 202 ? pending : { title, status, detail: "Later.", code: "any", traceId: "" };
    await answerOrders(page, (route) => route.fulfill({ status, json, headers: { "Retry-After": "7" } }));
    await order(page, "Enamel mug", 1);
    await notice(page, title);
    if (status === 503) await notice(page, "ask again in 7 s");
    assert.ok(await page.getByLabel("Quantity").isDisabled());
    await page.unrouteAll();
    await button(page, "Ask again").click();
    await notice(page, "Order placed!");
    assert.equal(new Set(keys).size, 1);
    assert.equal(keys.length, 2);
  });
}

for (const code of ["invalid", "unknown_item", "key_reused"] as const) {
  testPage(`a refusal such as ${code} is final: the next order has a new key`, async ({ page }) => {
    const keys = noteKeys(page);
    const { status, title } = problems[code];
    const json = { title, status, detail: "The reason.", code, traceId: "" };
    await answerOrders(page, (route) => route.fulfill({ status, json }));
    await order(page, "Enamel mug", 1);
    await notice(page, `${title} 1 × Enamel mug: The reason.`);
    await page.unrouteAll();
    await button(page, "Create Order").click();
    await notice(page, "Order placed!");
    assert.equal(new Set(keys).size, 2);
  });
}

testPage("an order without an answer can be given up for a new one", async ({ page }) => {
  const keys = noteKeys(page);
  await answerOrders(page, (route) => route.abort());
  await order(page, "Enamel mug", 1);
  await notice(page, "No answer");
  await page.unrouteAll();
  await button(page, "New order").click();
  await order(page, "Beeswax candle", 1);
  await notice(page, "Order placed! 1 × Beeswax candle");
  assert.equal(new Set(keys).size, 2);
});

testPage("while one request runs, a second click asks for nothing", async ({ page, requests }) => {
  const held = Promise.withResolvers<void>();
  await answerOrders(page, async (route) => {
    await held.promise;
    await route.continue();
  });
  await order(page, "Enamel mug", 1);
  for (const name of ["Create Order", "Get Inventory", "Get Users", "Get Orders"]) {
    assert.equal(await button(page, name).getAttribute("aria-disabled"), "true", name);
    await button(page, name).click({ force: true });
  }
  held.resolve();
  await notice(page, "Order placed!");
  assert.equal(requests.filter((request) => request === "POST /api/orders").length, 1);
  assert.ok(!requests.includes("GET /api/users"));
});

testPage("focus brings the stock up to date and takes neither the choice nor the focus away", async ({ page }) => {
  await card(page, "Beeswax candle").click();
  const before = await available("item3");
  const elsewhere = { item: "item3", quantity: 4 };
  await fetch(`${shop.gatewayUrl}/api/orders`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(elsewhere),
  });
  await page.evaluate(`dispatchEvent(new Event("focus"))`);
  await card(page, "Beeswax candle")
    .getByText(`${before - 4} in stock`)
    .waitFor();
  assert.equal(await page.evaluate("document.activeElement.value"), "item3");
  assert.ok(await page.getByRole("radio", { name: "Beeswax candle" }).isChecked());
});

test("a page left open for an hour asks for nothing", suiteTimeout, async () => {
  const { page, requests, faults } = await visit(browser, shop.frontendUrl);
  await page.clock.install();
  await page.goto(shop.frontendUrl);
  await page.getByText("in stock").first().waitFor();
  await order(page, "Enamel mug", 1);
  await page.locator("#orders").getByText("confirmed").waitFor();
  await entry(page, "/api/products").nth(1).waitFor();
  const quiet = requests.length;
  await page.clock.runFor("01:00:00");
  await page.evaluate(`fetch("/icon.svg")`); // whatever an hour's timers had asked for would be noted before this
  assert.deepEqual(requests.slice(quiet), ["GET /icon.svg"]);
  assert.deepEqual(faults, []);
});

testPage(
  "every request has a trace of its own, shown, copied by a click and found in the functions' logs",
  async ({ page }) => {
    const sent: string[] = [];
    page.on("request", (request) => sent.push(request.headers().traceparent ?? ""));
    await order(page, "Enamel mug", 1);
    await notice(page, "Order placed!");
    await page.locator("#orders").getByText("confirmed").waitFor();
    assert.equal(new Set(sent).size, sent.length);
    for (const traceparent of sent) assert.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);

    await entry(page, "201").getByRole("button").click();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    assert.ok(sent.some((traceparent) => traceparent.includes(copied)));
    for (const name of ["gateway", "orders", "inventory"]) {
      assert.ok(
        shop.lines.some((line) => line.includes(copied) && line.includes(`"service":"${name}"`)),
        `${name} has logged the trace`,
      );
    }
  },
  { permissions: ["clipboard-read", "clipboard-write"] },
);

testPage("the visitor's orders come newest first, page by page", async ({ page }) => {
  for (let quantity = 1; quantity <= 6; quantity++) {
    await order(page, "Beeswax candle", quantity);
    await notice(page, `Order placed! ${quantity} ×`);
    await page.locator("#orders").getByText(`${quantity} × Beeswax candle`).waitFor();
  }
  const orders = page.locator("#orders li");
  assert.equal(await orders.count(), 5);
  await button(page, "More").click();
  await orders.nth(5).waitFor();
  assert.match(String(await orders.first().textContent()), /^6 ×/);
  assert.match(String(await orders.last().textContent()), /^1 ×/);
  assert.ok(await button(page, "More").isHidden());
});

testPage("what cannot be shown says so and can be looked at again", async ({ page }) => {
  await page.route("**/api/products", (route) => route.abort());
  await page.reload();
  await page.getByText("The products cannot be shown.").waitFor();
  await page.unrouteAll();
  await button(page, "Look again").click();
  await card(page, "Enamel mug").waitFor();
});

testPage("what is sold out cannot be chosen", async ({ page }) => {
  const products = [
    { item: "item1", name: "Enamel mug", price: 1450, currency: "EUR", available: 0 },
    { item: "other", name: "Other", price: 500, currency: "JPY", available: 1 },
  ];
  await page.route("**/api/products", (route) => route.fulfill({ json: { products } }));
  await page.evaluate(`dispatchEvent(new Event("focus"))`);
  await card(page, "Enamel mug").getByText("Sold out").waitFor();
  await card(page, "Other").getByText("Only 1 left").waitFor();
  await card(page, "Other").getByText("¥500").waitFor();
  assert.ok(await page.getByRole("radio", { name: "Enamel mug" }).isDisabled());
  assert.ok(await page.getByRole("radio", { name: "Other" }).isChecked());
});

for (const colorScheme of ["light", "dark"] as const) {
  testPage(
    `at 360 px, ${colorScheme}: no sideways scrolling, every control has a name, every text has contrast AA`,
    async ({ page }) => {
      await button(page, "Get Users").click();
      await page.locator("#users").getByText("Alice").waitFor();
      await order(page, "Wool blanket", 999);
      await notice(page, "Not enough in stock");
      await order(page, "Enamel mug", 1);
      await notice(page, "Order placed!");
      await page.locator("#orders").getByText("confirmed").waitFor();
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
      assert.deepEqual(await namelessControls(page), []);
      assert.deepEqual(await page.evaluate(textsBelowContrast), []);
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

/** WCAG 2.2, 1.4.3: texts whose colour has less than 4.5:1 to the first opaque ground behind them. */
const textsBelowContrast = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => parse(color).slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (node) => {
    const { backgroundColor } = getComputedStyle(node);
    return parse(backgroundColor)[3] === 0 ? ground(node.parentElement) : backgroundColor;
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.body.querySelectorAll("*")].filter((node) => hasText(node) && node.checkVisibility()).filter((node) => {
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map((node) => node.outerHTML);
})()`;

test("/docs shows every operation of the API without a fault", suiteTimeout, async () => {
  const { page, faults } = await visit(browser, shop.frontendUrl);
  const { paths } = (await (await fetch(`${shop.frontendUrl}/openapi.json`)).json()) as { paths: object };
  const operations = Object.values(paths).flatMap((path) => Object.keys(path));
  await page.goto(`${shop.frontendUrl}/docs`);
  await page
    .locator(".opblock")
    .nth(operations.length - 1)
    .waitFor();
  await page.locator(".opblock-post .opblock-control-arrow").first().click();
  await page.locator(".opblock-body").waitFor();
  assert.deepEqual(faults, []);
});

test("/docs/problems has an anchor for every code", suiteTimeout, async () => {
  const { page, faults } = await visit(browser, shop.frontendUrl);
  for (const [code, { title }] of Object.entries(problems)) {
    await page.goto(`${shop.frontendUrl}/docs/problems#${code}`);
    await page.locator(":target").filter({ hasText: code }).filter({ hasText: title }).waitFor();
  }
  assert.deepEqual(faults, []);
});

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
      await button(page, "Get Inventory").click();
      await page.locator("#inventory").getByText("item3").waitFor();
      await button(page, "Get Users").click();
      await page.locator("#users").getByText("Alice").waitFor();
      await order(page, "Wool blanket", 999);
      await notice(page, "Not enough in stock");
      await order(page, "Beeswax candle", 2);
      await notice(page, "Order placed!");
      await page.locator("#orders").getByText("confirmed").waitFor();
      await mkdir(folder, { recursive: true });
      await page.screenshot({ path: `${folder}${name}.png` });
    },
    options,
  );
}
