import assert from "node:assert/strict";
import { metrics } from "@shop/platform/catalogue";
import type { Shop } from "./shop.ts";

type Where = Pick<Shop, "urls" | "frontendUrl">;

/** Sells something, and remembers it. */
export async function sells({ frontendUrl }: Where): Promise<void> {
  const page = await fetch(frontendUrl);
  assert.equal(page.status, 200);
  const cookie = page.headers.get("Set-Cookie")?.split(";")[0] ?? "";
  const before = (await (await fetch(`${frontendUrl}/api/inventory`)).json()) as Record<string, number>;

  const placed = await fetch(`${frontendUrl}/api/orders`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Cookie: cookie },
    body: JSON.stringify({ item: "item3", quantity: 2 }),
  });
  const order = (await placed.json()) as { orderId: string; total: number };
  assert.equal(placed.status, 201, JSON.stringify(order));
  assert.match(order.orderId, /^ORDER-/);

  const after = (await (await fetch(`${frontendUrl}/api/inventory`)).json()) as Record<string, number>;
  assert.deepEqual(after, { ...before, item3: (before.item3 ?? 0) - 2 });
  const read = await fetch(`${frontendUrl}/api/orders/${order.orderId}`, { headers: { Cookie: cookie } });
  assert.equal(((await read.json()) as { total: number }).total, order.total);
  const users = await (await fetch(`${frontendUrl}/api/users`)).json();
  assert.deepEqual(users, [
    { id: 1, name: "Alice" },
    { id: 2, name: "Bob" },
  ]);
}

/** Says that it lives, and what it can be asked. */
export async function describes({ urls, frontendUrl }: Where): Promise<void> {
  for (const [name, url] of Object.entries(urls)) {
    for (const path of ["/healthz", "/readyz", "/livez"]) {
      const health = await fetch(`${url}${path}`);
      assert.deepEqual([health.status, await health.text()], [200, "OK"], `${name}${path}`);
    }
    const description = (await (await fetch(`${url}/openapi.json`)).json()) as { openapi: string };
    assert.match(description.openapi, /^3\.1\./, name);
  }
  for (const path of ["/docs", "/docs/problems", "/docs/swagger-ui.js", "/docs/swagger-ui.css", "/page.js"]) {
    const reply = await fetch(`${frontendUrl}${path}`);
    assert.equal(reply.status, 200, path);
    assert.ok((await reply.text()).length > 100, path);
  }
}

/** Each has the metrics that the catalogue gives it, and none of another's. */
export async function counts({ urls }: Where): Promise<void> {
  for (const [name, url] of Object.entries(urls)) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const declared = Object.entries(metrics as Record<string, { functions?: readonly string[] }>)
      .filter(([, { functions }]) => functions?.includes(name) ?? true)
      .map(([metric]) => metric);
    const shown = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, metric]) => metric);
    assert.deepEqual(shown.sort(), declared.sort(), name);
  }
}
