/** @jsxImportSource hono/jsx */
import type { PropsWithChildren } from "hono/jsx";

type Layout = PropsWithChildren<{ title: string; styles?: string[]; scripts?: string[] }>;

/** The frame all pages share; each page is a whole document, rendered without data. */
export function Layout({ title, styles = [], scripts = [], children }: Layout) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        {[...styles, "/page.css"].map((href) => (
          <link rel="stylesheet" href={href} />
        ))}
        {scripts.map((src) => (
          <script src={src} defer></script>
        ))}
      </head>
      <body>
        <header class="masthead">
          <a class="wordmark" href="/">
            <img src="/icon.svg" alt="" width="28" height="28" />
            Shop
          </a>
          <nav aria-label="Documentation">
            <a href="/docs">API</a>
            <a href="/docs/problems">Problem codes</a>
          </nav>
        </header>
        {children}
      </body>
    </html>
  );
}

export const render = (page: unknown): string => `<!doctype html>${page}`;
