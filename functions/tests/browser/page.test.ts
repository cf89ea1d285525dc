import assert from "node:assert/strict";
import { eventually } from "@shop/platform/testing";
import type { Page } from "playwright-core";
import { button, card, entry, openPage, order, panel, shopInBrowser, told } from "./fixture.ts";

const { api, logged, restart, testPage, testVisit } = shopInBrowser();

const available = async (item: string) => (await api<Record<string, number>>("/api/inventory"))[item] ?? 0;

testPage("an order by mouse is answered, taken from the stock and listed among the visitor's", async ({ page }) => {
  const left = (await available("item1")) - 2;
  await order(page, "Enamel mug", 2);
  await told(page, "Order placed! 2 × Enamel mug for €29.00. ORDER-");
  await card(page, "Enamel mug").getByText(`${left} in stock`).waitFor();
  await panel(page, "My orders").getByText("confirmed").waitFor();
  await entry(page, "Order placed! ORDER-").filter({ hasText: "201" }).waitFor();
  assert.equal(await available("item1"), left);
});

testPage("the stock and the users are shown when asked for, and not before", async ({ page, requests }) => {
  assert.deepEqual(
    requests.filter((request) => request.includes("/api/")),
    ["GET /api/products"],
  );
  await button(page, "Get Inventory").click();
  await panel(page, "Inventory").getByText("item3").waitFor();
  await button(page, "Get Users").click();
  await panel(page, "Users").getByText("Alice").waitFor();
  await panel(page, "Users").getByText("Bob").waitFor();
});

testPage("an order for more than there is is refused in friendly words and takes nothing", async ({ page }) => {
  const left = await available("item2");
  await order(page, "Wool blanket", 999);
  await told(page, "Not enough in stock");
  await entry(page, "409").waitFor();
  assert.equal(await available("item2"), left);
  await order(page, "Wool blanket", 1);
  await told(page, "Order placed!");
});

testPage("by keyboard alone an order is placed and one refused, stock and users are shown", async ({ page }) => {
  await tabTo(page, "Enamel mug");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await tabTo(page, "Quantity");
  await page.keyboard.type("2");
  await tabTo(page, "Create Order");
  await pressWhenIdle(page, "Enter");
  await told(page, "Order placed! 2 × Beeswax candle");
  await tabTo(page, "Quantity", "Shift+Tab");
  await page.keyboard.type("999");
  await pressWhenIdle(page, "Enter");
  await told(page, "Not enough in stock");
  await tabTo(page, "Get Inventory");
  await pressWhenIdle(page, "Space");
  await panel(page, "Inventory").getByText("item3").waitFor();
  await tabTo(page, "Get Users");
  await pressWhenIdle(page, "Space");
  await panel(page, "Users").getByText("Alice").waitFor();
});

/** While one action runs the page takes no other; a mouse's click waits for that by itself. */
async function pressWhenIdle(page: Page, key: string): Promise<void> {
  await page.locator('#create-order:not([aria-disabled="true"])').waitFor();
  await page.keyboard.press(key);
}

/** Presses Tab until the control of that name has the focus, and shows so. */
async function tabTo(page: Page, name: string, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press(key);
    const focus = await page.evaluate<{ name: string; shown: boolean }>(`(() => {
      const control = document.activeElement;
      const nodes = [control, ...(control.labels ?? [])];
      const styles = nodes.map((node) => getComputedStyle(node));
      return {
        name: nodes.at(-1).textContent,
        shown: styles.some(({ outlineStyle, opacity }) => outlineStyle === "solid" && opacity !== "0"),
      };
    })()`);
    if (focus.name.includes(name)) return assert.ok(focus.shown, `"${name}" shows its focus`);
  }
  assert.fail(`Cannot reach "${name}": not within 60 times ${key}`);
}

testPage("while one request runs a second click asks for nothing", async ({ page, requests }) => {
  const held = Promise.withResolvers<void>();
  await page.route("**/api/orders", async (route) => {
    await held.promise;
    await route.continue();
  });
  await order(page, "Enamel mug", 1);
  for (const name of ["Create Order", "Get Inventory", "Get Users", "Get Orders"]) {
    assert.ok(await button(page, name).isDisabled(), name);
    await button(page, name).click({ force: true });
  }
  held.resolve();
  await told(page, "Order placed!");
  assert.equal(requests.filter((request) => request === "POST /api/orders").length, 1);
  assert.ok(!requests.includes("GET /api/users"));
});

testPage("focus brings the stock up to date and takes neither the choice nor the focus away", async ({ page }) => {
  await card(page, "Beeswax candle").click();
  const left = (await available("item3")) - 4;
  await api("/api/orders", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ item: "item3", quantity: 4 }),
  });
  await page.evaluate(`dispatchEvent(new Event("focus"))`);
  await card(page, "Beeswax candle").getByText(`${left} in stock`).waitFor();
  assert.equal(await page.evaluate("document.activeElement.value"), "item3");
  assert.ok(await page.getByRole("radio", { name: "Beeswax candle" }).isChecked());
});

testVisit("a page left open for an hour asks for nothing", async ({ page, requests }) => {
  await page.clock.install();
  await openPage(page);
  await order(page, "Enamel mug", 1);
  await panel(page, "My orders").getByText("confirmed").waitFor();
  await entry(page, "/api/products").nth(1).waitFor();
  const quiet = requests.length;
  await page.clock.runFor("01:00:00");
  await page.evaluate(`fetch("/icon.svg")`); // whatever the hour's timers had asked for would be noted before this
  assert.deepEqual(requests.slice(quiet), ["GET /icon.svg"]);
});

testPage(
  "every request has a trace of its own: shown, copied by a click, found in the functions' logs",
  async ({ page }) => {
    const sent: string[] = [];
    page.on("request", (request) => sent.push(request.headers().traceparent ?? ""));
    await order(page, "Enamel mug", 1);
    await panel(page, "My orders").getByText("confirmed").waitFor();
    for (const traceparent of sent) assert.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.equal(new Set(sent.map((traceparent) => traceparent.slice(3, 35))).size, sent.length);

    await entry(page, "201").getByRole("button").click();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    assert.equal(sent[0]?.slice(3, 35), copied);
    for (const name of ["frontend", "gateway", "orders", "inventory"]) {
      await eventually(`${name} logs the trace`, () =>
        logged().some((line) => line.includes(copied) && line.includes(`"service":"${name}"`)),
      );
    }
  },
  { permissions: ["clipboard-read", "clipboard-write"] },
);

testPage("a request says which functions it woke, and the next one that it woke none", async ({ page }) => {
  await button(page, "Get Users").click(); // whoever has not answered yet does so now
  await entry(page, "/api/users").waitFor();
  const warm = await entry(page, "woke").count();
  await restart("gateway", "users");
  await button(page, "Get Users").click();
  await entry(page, "/api/users")
    .filter({ hasText: /woke gateway, users in [1-9]\d* ms/ })
    .waitFor();
  await button(page, "Get Users").click();
  await entry(page, "/api/users").nth(2).waitFor();
  assert.equal(await entry(page, "woke").count(), warm + 1);
});

testPage(
  "the wakes of one request are summed up, each function's once, and other timings are none",
  async ({ page }) => {
    const cold = (ms: number, name: string) => `cold;dur=${ms};desc="${name}"`;
    const timings = [
      ["db;dur=7", cold(100.4, "frontend"), cold(80.3, "gateway"), cold(60, "orders"), cold(60, "orders")],
      ["db;dur=7", "cold;dur=;desc=x"],
    ];
    await page.route("**/api/users", async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers(), "Server-Timing": timings.shift()?.join(", ") ?? "" };
      await route.fulfill({ response, headers });
    });
    const before = await entry(page, "woke").count();
    for (const _ of [1, 2]) {
      await button(page, "Get Users").click();
      await page.locator('#create-order:not([aria-disabled="true"])').waitFor();
    }
    await entry(page, "/api/users").nth(1).waitFor();
    await entry(page, "/api/users").filter({ hasText: "woke frontend, gateway, orders in 241 ms" }).waitFor();
    assert.equal(await entry(page, "woke").count(), before + 1);
  },
);

testPage("the visitor's orders come newest first, page by page", async ({ page }) => {
  const orders = panel(page, "My orders").getByRole("listitem");
  for (let quantity = 1; quantity <= 6; quantity++) {
    await order(page, "Beeswax candle", quantity);
    await orders
      .first()
      .filter({ hasText: `${quantity} × Beeswax candle` })
      .waitFor();
    await page.locator('#create-order:not([aria-disabled="true"])').waitFor();
  }
  assert.equal(await orders.count(), 5);
  await button(page, "More").click();
  await orders.nth(5).filter({ hasText: "1 × Beeswax candle" }).waitFor();
  assert.ok(await button(page, "More").isHidden());
});

testVisit("products that cannot be shown are said to be so, and can be looked at again", async ({ page }) => {
  await page.route("**/api/products", (route) => route.abort());
  await page.goto("/");
  await page.getByText("The products cannot be shown.").waitFor();
  await page.unrouteAll();
  await button(page, "Look again").click();
  await card(page, "Enamel mug").waitFor();
});

testVisit("a shop without products says so", async ({ page }) => {
  await page.route("**/api/products", (route) => route.fulfill({ json: { products: [] } }));
  await page.goto("/");
  await page.getByText("There is nothing to sell yet.").waitFor();
});

testPage("what is sold out cannot be chosen, what is scarce says so", async ({ page }) => {
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
