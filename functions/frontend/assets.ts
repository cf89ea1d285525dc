import docsScript from "./docs.client.js" with { type: "text" };
import docsStyle from "./docs.css" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import pageScript from "./page.client.js" with { type: "text" };
import pageStyle from "./page.css" with { type: "text" };

export type Asset = { body: string; type: string };

const script = (body: string): Asset => ({ body, type: "text/javascript; charset=utf-8" });
const style = (body: string): Asset => ({ body, type: "text/css; charset=utf-8" });

/** What the pages refer to, by path. */
export const assets: Readonly<Record<string, Asset>> = {
  "/page.css": style(pageStyle),
  "/page.js": script(pageScript),
  "/icon.svg": { body: icon, type: "image/svg+xml" },
  "/docs/docs.css": style(docsStyle),
  "/docs/docs.js": script(docsScript),
};

/** Swagger UI, by path. Two megabytes that only a reader of the documentation pays for, so loaded when asked. */
export const lazyAssets: Readonly<Record<string, () => Promise<Asset>>> = {
  "/docs/swagger-ui.css": async () =>
    style((await import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } })).default),
  "/docs/swagger-ui.js": async () =>
    script((await import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } })).default),
};
