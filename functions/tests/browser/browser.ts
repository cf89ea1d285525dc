import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome"];

/** The installed Chromium: at `CHROMIUM`, else the first of its names on PATH. */
function findChromium({ CHROMIUM, PATH = "" }: NodeJS.ProcessEnv): string {
  const candidates = CHROMIUM
    ? [CHROMIUM]
    : PATH.split(delimiter).flatMap((dir) => names.map((name) => join(dir, name)));
  const found = candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error(`Cannot find "${CHROMIUM ?? names.join(", ")}": install Chromium, or set CHROMIUM`);
  return found;
}

export function launchBrowser(): Promise<Browser> {
  // No sandbox: it needs user namespaces, which containers and root do not have. The suite loads our pages only.
  return chromium.launch({ executablePath: findChromium(process.env), args: ["--no-sandbox", "--disable-gpu"] });
}

export type Visit = {
  page: Page;
  /** Everything the page has asked for: `POST /api/orders`. */
  requests: string[];
  /** Console errors and warnings (a CSP violation is one), uncaught errors, requests to another origin. */
  faults: string[];
};

/** A new visitor's tab: its own cookies and storage; everything that must not happen on a page is noted. */
export async function visit(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ baseURL: origin, viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const requests: string[] = [];
  const faults: string[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol === "data:") return;
    requests.push(`${request.method()} ${url.pathname}`);
    if (url.origin !== origin) faults.push(`request to ${url.origin}`);
  });
  page.on("pageerror", (error) => faults.push(`uncaught ${error}`));
  page.on("console", (message) => {
    // Chromium itself writes this line for every refusal; what the page makes of it is what the tests look at.
    if (message.text().startsWith("Failed to load resource")) return;
    if (["error", "warning"].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  return { page, requests, faults };
}
