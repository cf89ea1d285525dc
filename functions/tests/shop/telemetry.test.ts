import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { metrics as catalogue, logFields, resourceAttributes, spanAttributes } from "@shop/platform/catalogue";
import { createDatabase } from "@shop/platform/database";
import { captureLog, eventually } from "@shop/platform/testing";
import { placeOrder } from "../customer.ts";
import { openSink, type Sink } from "../otlp-sink.ts";
import { type FunctionName, type Shop, startShop } from "../shop.ts";

type Declared = { type: string; labels: readonly string[]; functions?: readonly string[] };
type Family = { service: string; name: string; type: string; labels: Set<string>; services: Set<string> };

const metrics = catalogue as Record<string, Declared>;
const functions: FunctionName[] = ["frontend", "gateway", "orders", "inventory", "users"];

/** Reads the text format: each family with the labels its samples have. */
function readFamilies(service: string, text: string): Family[] {
  const families: Family[] = [];
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name) families.push({ service, name, type, labels: new Set(), services: new Set() });
    if (line.startsWith("#")) continue;
    const family = families.at(-1);
    const [, sample = "", pairs = ""] = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    assert.ok(family && sample.startsWith(family.name), line);
    for (const [, label = "", value = ""] of pairs.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)) {
      if (label === "service") family.services.add(value);
      else family.labels.add(label);
    }
  }
  return families;
}

/** Has every function answer, refuse, fail and wait at least once. */
async function useAll(shop: Shop): Promise<void> {
  const { gatewayUrl, frontendUrl } = shop;
  for (const path of ["/", "/docs", "/api/products", "/api/inventory", "/api/users", "/api/users/99", "/nowhere"]) {
    await (await fetch(`${frontendUrl}${path}`)).text();
  }
  assert.equal((await placeOrder(frontendUrl)).status, 201);
  assert.equal((await placeOrder(gatewayUrl, { quantity: 1000 })).status, 409);
  const users = createDatabase({ url: shop.databases.users.url, log: captureLog().log });
  await users.pool.query("drop table users");
  await users.close();
  assert.equal((await fetch(`${gatewayUrl}/api/users`)).status, 500);
  await shop.end("inventory");
  assert.equal((await placeOrder(gatewayUrl)).status, 202);
  assert.equal((await fetch(`${gatewayUrl}/api/products`)).status, 502);
  await shop.start("inventory");
  assert.equal(await shop.settle(), 0);
  assert.equal((await placeOrder(gatewayUrl)).status, 201);
  assert.equal((await fetch(`${gatewayUrl}/api/products`)).status, 200);
}

/** Every function's families, once the spans of its requests have been sent. */
async function scrapeAll({ urls }: Shop): Promise<Family[]> {
  const scrapes = functions.map((service) =>
    eventually(`${service} has sent spans`, async () => {
      const text = await (await fetch(`${urls[service]}/metrics`)).text();
      return text.includes("telemetry_spans_total{") ? readFamilies(service, text) : undefined;
    }),
  );
  return (await Promise.all(scrapes)).flat();
}

const differences = (seen: Iterable<string>, declared: string[]) => {
  const names = new Set(seen);
  return {
    undeclared: [...names].filter((name) => !declared.includes(name)),
    unseen: declared.filter((name) => !names.has(name)),
  };
};
const agreeing = { undeclared: [], unseen: [] };

describe("a run of the whole shop", () => {
  let sink: Sink;
  let families: Family[];
  let lines: Record<string, unknown>[];

  before(async () => {
    sink = await openSink();
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_BSP_SCHEDULE_DELAY: "10",
      LOG_LEVEL: "trace",
      K_REVISION: "any-00001",
    };
    const shop = await startShop({ env: Object.fromEntries(functions.map((name) => [name, env])) });
    try {
      await useAll(shop);
      families = await scrapeAll(shop);
    } finally {
      await shop.stop();
    }
    lines = shop.lines.map((line) => JSON.parse(line));
  });
  after(() => sink[Symbol.asyncDispose]());

  it("shows in each function the metrics that are declared for it, each with its type", () => {
    for (const service of functions) {
      const shown = families.filter((family) => family.service === service && family.services.size > 0);
      const declared = Object.entries(metrics).filter(([, { functions: only = functions }]) => only.includes(service));
      assert.deepEqual(
        differences(
          shown.map(({ name, type }) => `${name} ${type}`),
          declared.map(([name, { type }]) => `${name} ${type}`),
        ),
        agreeing,
        service,
      );
    }
  });

  it("shows on each metric the labels that are declared for it, and whose it is", () => {
    const own: Record<string, string[]> = { histogram: ["le"], summary: ["quantile"] };
    for (const [name, { type, labels }] of Object.entries(metrics)) {
      const found = families.filter((family) => family.name === name);
      const seen = found.flatMap((family) => [...family.labels]);
      assert.deepEqual(differences(seen, [...labels, ...(own[type] ?? [])]), agreeing, name);
      for (const { service, services } of found) assert.deepEqual([...services], [service], name);
    }
  });

  it("has on its spans the attributes that are declared", () => {
    assert.deepEqual(new Set(sink.spans.map(({ service }) => service)), new Set(functions));
    const seen = sink.spans.flatMap(({ attributes }) => Object.keys(attributes));
    assert.deepEqual(differences(seen, Object.keys(spanAttributes)), agreeing);
  });

  it("says of each process what is declared", () => {
    for (const { resource } of sink.spans) {
      assert.deepEqual(differences(Object.keys(resource), Object.keys(resourceAttributes)), agreeing);
    }
  });

  it("has on the lines of its log the fields that are declared", () => {
    assert.deepEqual(differences(lines.flatMap(Object.keys), Object.keys(logFields)), agreeing);
  });
});
