const locked = [
  "default-src 'none'",
  "script-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
];

/** Content-Security-Policy of the shop's own pages: no inline code, no inline style, no string becomes markup. */
export const contentSecurityPolicy = [
  ...locked,
  "style-src 'self'",
  "img-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The same for `/docs`, opened only as far as Swagger UI needs: it writes HTML, and its icons are data URLs. */
export const docsContentSecurityPolicy = [...locked, "style-src 'self'", "img-src 'self' data:"].join("; ");
