import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { type FunctionName, type Shop, startShop } from "../shop.ts";
import { launchBrowser, type Visit, visit } from "./browser.ts";

type Work = (visit: Visit) => Promise<void>;

const timeout = 60_000;

/** The real shop and a browser for one suite, and tests in it: a fault of the page fails its test at the end. */
export function shopInBrowser() {
  let shop: Shop;
  let browser: Browser;

  before(
    async () => {
      [shop, browser] = await Promise.all([startShop(), launchBrowser()]);
    },
    { timeout },
  );

  after(
    async () => {
      await browser?.close();
      await shop?.stop();
    },
    { timeout },
  );

  /** A test that starts with an empty tab of a new visitor. */
  const testVisit = (guarantee: string, work: Work, options?: BrowserContextOptions) =>
    test(guarantee, { timeout }, async () => {
      const visitor = await visit(browser, shop.frontendUrl, options);
      await work(visitor);
      assert.deepEqual(visitor.faults, []);
      await visitor.page.context().close();
    });

  /** A test that starts with the products in view. */
  const testPage = (guarantee: string, work: Work, options?: BrowserContextOptions) =>
    testVisit(
      guarantee,
      async (visitor) => {
        await openPage(visitor.page);
        await work(visitor);
      },
      options,
    );

  const api = async <T>(path: string, init?: RequestInit): Promise<T> => {
    const response = await fetch(shop.gatewayUrl + path, init);
    assert.ok(response.ok, path);
    return (await response.json()) as T;
  };

  /** Fresh processes, which have answered nothing yet. */
  const restart = async (...names: FunctionName[]): Promise<void> => {
    for (const name of names) await shop.end(name);
    for (const name of names) await shop.start(name);
  };

  return { testVisit, testPage, api, restart, logged: () => shop.lines };
}

export async function openPage(page: Page): Promise<void> {
  await page.goto("/");
  await page.getByText("in stock").first().waitFor();
}

export const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
export const card = (page: Page, name: string) => page.locator("label").filter({ hasText: name });
export const entry = (page: Page, text: string) =>
  page.getByRole("log").getByRole("listitem").filter({ hasText: text });
export const panel = (page: Page, title: string) => page.getByRole("region", { name: title });

/** What the page says about the order. */
export const told = (page: Page, text: string) => page.getByRole("status").filter({ hasText: text }).waitFor();

export async function order(page: Page, name: string, quantity: number): Promise<void> {
  await card(page, name).click();
  await page.getByLabel("Quantity").fill(String(quantity));
  await button(page, "Create Order").click();
}

/** Everything the page can show at once. */
export async function showAll(page: Page): Promise<void> {
  await button(page, "Get Inventory").click();
  await panel(page, "Inventory").getByText("item3").waitFor();
  await button(page, "Get Users").click();
  await panel(page, "Users").getByText("Bob").waitFor();
  await order(page, "Wool blanket", 999);
  await told(page, "Not enough in stock");
  await order(page, "Beeswax candle", 2);
  await told(page, "Order placed!");
  await panel(page, "My orders").getByText("confirmed").waitFor();
}
