// @ts-check
/// <reference lib="dom" />

// Swagger UI has a dark theme, but leaves the choice to the page.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// @ts-expect-error: a global of swagger-ui-dist, which ships no types
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", validatorUrl: null, deepLinking: true });
