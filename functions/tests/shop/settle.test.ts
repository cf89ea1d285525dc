import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createDatabase } from "@shop/platform/database";
import { captureLog } from "@shop/platform/testing";
import { placeOrder } from "../customer.ts";
import { openSink, type Sink, type SinkSpan } from "../otlp-sink.ts";
import { type Shop, startShop } from "../shop.ts";

describe("orders' settle", () => {
  let sink: Sink;
  let shop: Shop;

  before(async () => {
    sink = await openSink();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_BSP_SCHEDULE_DELAY: "60000" };
    shop = await startShop({ env: { orders: env } });
  });
  after(async () => {
    await shop.stop();
    await sink[Symbol.asyncDispose]();
  });

  /** What the process of this span has sent. */
  function ofRun(root: SinkSpan | undefined) {
    const instance = root?.resource["service.instance.id"];
    return sink.spans.filter(({ resource }) => resource["service.instance.id"] === instance);
  }

  it("that settles an order says so in a line, with how many of its spans were sent", async () => {
    await shop.end("inventory");
    assert.equal((await placeOrder(shop.gatewayUrl)).status, 202);
    await shop.start("inventory");
    assert.equal(await shop.settle(), 0);
    const spans = ofRun(sink.spans.find(({ name }) => name === "settle"));
    assert.ok(spans.some(({ name }) => name === "PUT"));
    const [line, ...more] = shop.lines.map((text) => JSON.parse(text)).filter(({ msg }) => msg === "settle");
    assert.deepEqual(more, []);
    const { settled, failed, spans_exported, spans_dropped } = line;
    assert.deepEqual([settled, failed, spans_exported, spans_dropped], [1, 0, spans.length, 0]);
  });

  it("that fails exits 1, and its spans are sent all the same", async () => {
    const database = createDatabase({ url: shop.databases.orders.url, log: captureLog().log });
    await database.pool.query("drop table orders cascade");
    await database.close();
    assert.equal(await shop.settle(), 1);
    const isError = ({ name, status }: SinkSpan) => name === "settle" && status === 2;
    const spans = ofRun(sink.spans.find(isError));
    assert.equal(spans.find(isError)?.attributes["error.type"], "42P01");
    assert.ok(
      spans.some(({ name }) => name === "SELECT orders"),
      spans.map(({ name }) => name).join(),
    );
  });
});
