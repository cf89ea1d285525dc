import assert from "node:assert/strict";
import { problems } from "@shop/platform/problem";
import type { Page, Route } from "playwright-core";
import { button, order, panel, shopInBrowser, told } from "./fixture.ts";

const { api, testPage } = shopInBrowser();

type Sent = { key: string | undefined; body: string | null };

/** Notes every order the page sends. */
function noteOrders(page: Page): Sent[] {
  const sent: Sent[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") sent.push({ key: request.headers()["idempotency-key"], body: request.postData() });
  });
  return sent;
}

/** Answers the page's next orders in the shop's place, until `page.unrouteAll()`. */
const answerOrders = (page: Page, answer: (route: Route) => Promise<void>) =>
  page.route("**/api/orders", (route) => (route.request().method() === "POST" ? answer(route) : route.continue()));

testPage(
  "an order whose answer is lost keeps its key over a reload, is placed once, and then gone",
  async ({ page }) => {
    const sent = noteOrders(page);
    const available = async () => (await api<{ item3: number }>("/api/inventory")).item3;
    const before = await available();
    await answerOrders(page, async (route) => {
      await route.fetch(); // the shop places the order, but its answer never arrives
      await route.abort();
    });
    await order(page, "Beeswax candle", 3);
    await told(page, "No answer");
    await page.unrouteAll();

    await page.reload();
    await told(page, "3 × item3: ask again");
    await page.getByText("€20.70").waitFor();
    await button(page, "Ask again").click();
    await told(page, "Order placed! 3 × Beeswax candle");
    assert.equal(await available(), before - 3);

    await button(page, "Create Order").click();
    await panel(page, "My orders").getByRole("listitem").nth(1).waitFor();
    assert.equal(await available(), before - 6);
    assert.equal(sent.length, 3);
    assert.deepEqual(sent[1], sent[0]);
    assert.notEqual(sent[2]?.key, sent[0]?.key);
    assert.match(sent[0]?.key ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  },
);

for (const [status, title] of [
  [202, "Accepted, being settled"],
  [502, "Bad gateway"],
  [503, "Service unavailable"],
  [504, "Deadline exceeded"],
] as const) {
  testPage(`after ${status} the page asks again with the same key and the same body`, async ({ page }) => {
    const sent = noteOrders(page);
    const json = { title, status, detail: "Later.", orderId: "ORDER-1" };
    await answerOrders(page, (route) => route.fulfill({ status, json, headers: { "Retry-After": "7" } }));
    await order(page, "Enamel mug", 1);
    await told(page, title);
    if (status === 503) await told(page, "ask again in 7 s");
    assert.ok(await page.getByLabel("Quantity").isDisabled());
    await page.unrouteAll();
    await button(page, "Ask again").click();
    await told(page, "Order placed!");
    assert.equal(sent.length, 2);
    assert.deepEqual(sent[1], sent[0]);
  });
}

for (const code of ["invalid", "unknown_item", "key_reused"] as const) {
  testPage(`a refusal such as ${code} is final: the next order has a new key`, async ({ page }) => {
    const sent = noteOrders(page);
    const { status, title } = problems[code];
    const json = { title, status, detail: "The reason.", code };
    await answerOrders(page, (route) => route.fulfill({ status, json }));
    await order(page, "Enamel mug", 1);
    await told(page, `${title} 1 × Enamel mug: The reason.`);
    await page.unrouteAll();
    await button(page, "Create Order").click();
    await told(page, "Order placed!");
    assert.notEqual(sent[1]?.key, sent[0]?.key);
  });
}

testPage("an order without an answer can be given up for a new one", async ({ page }) => {
  const sent = noteOrders(page);
  await answerOrders(page, (route) => route.abort());
  await order(page, "Enamel mug", 1);
  await told(page, "No answer");
  await page.unrouteAll();
  await button(page, "New order").click();
  await order(page, "Beeswax candle", 1);
  await told(page, "Order placed! 1 × Beeswax candle");
  assert.notEqual(sent[1]?.key, sent[0]?.key);
});
