import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counter, Gauge, Histogram, Registry, type RegistryContentType, Summary } from "prom-client";
import { contentTypes, createExposition, type MediaType } from "./exposition.ts";
import { fakeClock } from "./testing.ts";

const listeningSinceMs = 1_700_000_000_250;
const formats: MediaType[] = ["text/plain", "application/openmetrics-text"];

/** One instrument of each type, two of them with a unit in the catalogue. */
function openRegistry() {
  const registry = new Registry();
  (registry as Registry<RegistryContentType>).setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const registers = [registry];
  const labelNames = ["peer"];
  return {
    registry,
    orders: new Counter({ name: "orders_total", help: "Orders.", labelNames: ["status"], registers }),
    users: new Gauge({ name: "users_registered", help: "Users.", registers }),
    durations: new Histogram({
      name: "http_client_request_duration_seconds",
      help: "Durations.",
      labelNames,
      buckets: [0.5, 1],
      enableExemplars: true,
      registers,
    }),
    quantiles: new Summary({
      name: "http_request_summary_seconds",
      help: "Quantiles.",
      labelNames,
      percentiles: [0.5, 1],
      registers,
    }),
  };
}

/** One of each, used. */
function usedRegistry() {
  const all = openRegistry();
  all.orders.inc({ status: "CONFIRMED" }, 2);
  all.orders.inc({ status: "REJECTED" });
  all.users.set(3);
  const exemplarLabels = { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331" } as object;
  all.durations.observe({ labels: { peer: "users" }, value: 0.25, exemplarLabels });
  all.durations.observe({ labels: { peer: "orders" }, value: 2 });
  all.quantiles.observe({ peer: "users" }, 0.25);
  return all;
}

type Sample = { labels: Record<string, string | number>; value: number };

/** An exposition of one family, whatever prom-client would say to it. */
function expose(family: { name: string; help?: string; type: string; values: Sample[] }, format: MediaType) {
  const registry = { getMetricsAsJSON: async () => [{ help: "Help.", ...family }] } as unknown as Registry;
  return createExposition({ registry, listeningMs: () => listeningSinceMs })(format);
}

const samplesOf = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

/** When each series was created, in Unix seconds, by its name and labels. */
const createdIn = (text: string): Record<string, number> =>
  Object.fromEntries(
    samplesOf(text)
      .filter((line) => line.includes("_created"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );

describe("createExposition", () => {
  it("writes the Prometheus text format 0.0.4: no unit, no exemplar, no _created, whole bounds as they are", async () => {
    const { registry } = usedRegistry();
    assert.equal(
      await createExposition({ registry, listeningMs: () => listeningSinceMs })("text/plain"),
      `# HELP orders_total Orders.
# TYPE orders_total counter
orders_total{status="CONFIRMED"} 2
orders_total{status="REJECTED"} 1
# HELP users_registered Users.
# TYPE users_registered gauge
users_registered 3
# HELP http_client_request_duration_seconds Durations.
# TYPE http_client_request_duration_seconds histogram
http_client_request_duration_seconds_bucket{le="0.5",peer="users"} 1
http_client_request_duration_seconds_bucket{le="1",peer="users"} 1
http_client_request_duration_seconds_bucket{le="+Inf",peer="users"} 1
http_client_request_duration_seconds_sum{peer="users"} 0.25
http_client_request_duration_seconds_count{peer="users"} 1
http_client_request_duration_seconds_bucket{le="0.5",peer="orders"} 0
http_client_request_duration_seconds_bucket{le="1",peer="orders"} 0
http_client_request_duration_seconds_bucket{le="+Inf",peer="orders"} 1
http_client_request_duration_seconds_sum{peer="orders"} 2
http_client_request_duration_seconds_count{peer="orders"} 1
# HELP http_request_summary_seconds Quantiles.
# TYPE http_request_summary_seconds summary
http_request_summary_seconds{quantile="0.5",peer="users"} 0.25
http_request_summary_seconds{quantile="1",peer="users"} 0.25
http_request_summary_seconds_sum{peer="users"} 0.25
http_request_summary_seconds_count{peer="users"} 1
`,
    );
  });

  it("writes OpenMetrics 1.0: units, exemplars with their time, each series' _created right after it, float bounds, # EOF", async () => {
    const earliestS = Date.now() / 1000;
    const { registry } = usedRegistry();
    const text = await createExposition({ registry, listeningMs: () => listeningSinceMs })(
      "application/openmetrics-text",
    );
    const exemplarS = Number(/ # \{.*\} 0\.25 (\d+(?:\.\d+)?)$/m.exec(text)?.[1]);
    assert.ok(exemplarS >= earliestS && exemplarS <= Date.now() / 1000, `${exemplarS}`);
    assert.equal(
      text.replace(`${exemplarS}`, "NOW"),
      `# TYPE orders counter
# HELP orders Orders.
orders_total{status="CONFIRMED"} 2
orders_created{status="CONFIRMED"} 1700000000.25
orders_total{status="REJECTED"} 1
orders_created{status="REJECTED"} 1700000000.25
# TYPE users_registered gauge
# HELP users_registered Users.
users_registered 3
# TYPE http_client_request_duration_seconds histogram
# UNIT http_client_request_duration_seconds seconds
# HELP http_client_request_duration_seconds Durations.
http_client_request_duration_seconds_bucket{le="0.5",peer="users"} 1 # {trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331"} 0.25 NOW
http_client_request_duration_seconds_bucket{le="1.0",peer="users"} 1
http_client_request_duration_seconds_bucket{le="+Inf",peer="users"} 1
http_client_request_duration_seconds_sum{peer="users"} 0.25
http_client_request_duration_seconds_count{peer="users"} 1
http_client_request_duration_seconds_created{peer="users"} 1700000000.25
http_client_request_duration_seconds_bucket{le="0.5",peer="orders"} 0
http_client_request_duration_seconds_bucket{le="1.0",peer="orders"} 0
http_client_request_duration_seconds_bucket{le="+Inf",peer="orders"} 1
http_client_request_duration_seconds_sum{peer="orders"} 2
http_client_request_duration_seconds_count{peer="orders"} 1
http_client_request_duration_seconds_created{peer="orders"} 1700000000.25
# TYPE http_request_summary_seconds summary
# UNIT http_request_summary_seconds seconds
# HELP http_request_summary_seconds Quantiles.
http_request_summary_seconds{quantile="0.5",peer="users"} 0.25
http_request_summary_seconds{quantile="1.0",peer="users"} 0.25
http_request_summary_seconds_sum{peer="users"} 0.25
http_request_summary_seconds_count{peer="users"} 1
http_request_summary_seconds_created{peer="users"} 1700000000.25
# EOF
`,
    );
  });

  it("of nothing writes nothing, but for OpenMetrics its end", async () => {
    const write = createExposition({ registry: new Registry(), listeningMs: () => listeningSinceMs });
    assert.deepEqual(await Promise.all(formats.map(write)), ["", "# EOF\n"]);
  });

  it("names its formats with their versions", () => {
    assert.deepEqual(contentTypes, {
      "text/plain": "text/plain; version=0.0.4; charset=utf-8",
      "application/openmetrics-text": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    });
  });
});

describe("_created", () => {
  for (const format of formats) {
    it(`is when ${format} was last asked for without the series, else when the process began to listen, and stays`, async () => {
      const { registry, orders, durations, quantiles } = openRegistry();
      const clock = fakeClock(listeningSinceMs + 1_000);
      const write = createExposition({ registry, listeningMs: () => listeningSinceMs, now: clock.now });
      orders.inc({ status: "CONFIRMED" });
      await write(format);
      clock.advance(5_000);
      await write(format);
      clock.advance(5_000);
      orders.inc({ status: "REJECTED" });
      durations.observe({ labels: { peer: "users" }, value: 1 });
      quantiles.observe({ peer: "users" }, 1);

      const created = {
        'orders_created{status="CONFIRMED"}': listeningSinceMs / 1000,
        'orders_created{status="REJECTED"}': (listeningSinceMs + 6_000) / 1000,
        'http_client_request_duration_seconds_created{peer="users"}': (listeningSinceMs + 6_000) / 1000,
        'http_request_summary_seconds_created{peer="users"}': (listeningSinceMs + 6_000) / 1000,
      };
      for (let scrape = 0; scrape < 3; scrape++) {
        assert.deepEqual(createdIn(await write("application/openmetrics-text")), created);
        clock.advance(15_000);
        orders.inc({ status: "REJECTED" });
      }
    });
  }

  it("of a series that appears while an exposition is written is when that one began", async () => {
    const { registry, orders } = openRegistry();
    const clock = fakeClock(listeningSinceMs + 1_000);
    const write = createExposition({ registry, listeningMs: () => listeningSinceMs, now: clock.now });
    const reading = Promise.withResolvers<void>();
    const read = Promise.withResolvers<void>();
    new Gauge({
      name: "slow",
      help: "Slow.",
      registers: [registry],
      async collect() {
        reading.resolve();
        await read.promise;
      },
    });
    const first = write("text/plain");
    await reading.promise;
    clock.advance(1_000);
    orders.inc({ status: "CONFIRMED" });
    clock.advance(1_000);
    read.resolve();
    assert.doesNotMatch(await first, /^orders_total/m);
    const created = createdIn(await write("application/openmetrics-text"));
    assert.deepEqual(created, { 'orders_created{status="CONFIRMED"}': (listeningSinceMs + 1_000) / 1000 });
  });

  it("is kept for each series apart, whatever the order of its labels, and for no gauge", async () => {
    const series: Sample[] = [{ labels: { a: "1", b: "2" }, value: 1 }];
    const registry = {
      getMetricsAsJSON: async () => [
        { name: "x_total", help: "Help.", type: "counter", values: series },
        { name: "y", help: "Help.", type: "gauge", values: [{ labels: {}, value: 1 }] },
      ],
    } as unknown as Registry;
    const clock = fakeClock(listeningSinceMs);
    const write = createExposition({ registry, listeningMs: () => listeningSinceMs, now: clock.now });
    await write("application/openmetrics-text");
    clock.advance(1_000);
    await write("application/openmetrics-text");
    series[0] = { labels: { b: "2", a: "1" }, value: 1 };
    series.push({ labels: { a: "2", b: "1" }, value: 1 });
    assert.deepEqual(createdIn(await write("application/openmetrics-text")), {
      'x_created{b="2",a="1"}': listeningSinceMs / 1000,
      'x_created{a="2",b="1"}': (listeningSinceMs + 1_000) / 1000,
    });
  });
});

describe("both formats", () => {
  it("keep the names of counters after any number of scrapes", async () => {
    const { registry } = usedRegistry();
    const write = createExposition({ registry, listeningMs: () => listeningSinceMs });
    const first = await Promise.all(formats.map(write));
    for (let scrape = 0; scrape < 100; scrape++) await write("application/openmetrics-text");
    assert.deepEqual(await Promise.all(formats.map(write)), first);
    assert.ok(registry.getSingleMetric("orders_total"));
  });

  for (const format of formats) {
    it(`leave out labels without a value (${format})`, async () => {
      const values = [
        { labels: { a: "", b: "1", c: "" }, value: 1 },
        { labels: { a: "", b: "" }, value: 2 },
        { labels: { a: 0 }, value: 3 },
      ];
      const text = await expose({ name: "x", type: "gauge", values }, format);
      assert.deepEqual(samplesOf(text), ['x{b="1"} 1', "x 2", 'x{a="0"} 3']);
    });

    it(`escape backslash, quote and newline in a label's value (${format})`, async () => {
      const values = [{ labels: { path: 'C:\\new "line"\n\\n' }, value: 1 }];
      const text = await expose({ name: "x", type: "gauge", values }, format);
      assert.deepEqual(samplesOf(text), ['x{path="C:\\\\new \\"line\\"\\n\\\\n"} 1']);
    });

    it(`write numbers as Go reads them (${format})`, async () => {
      const numbers = [0, -1, 0.1, 1e21, 1e-7, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const values = numbers.map((value) => ({ labels: {}, value }));
      const text = await expose({ name: "x", type: "gauge", values }, format);
      const expected = ["0", "-1", "0.1", "1e+21", "1e-7", "NaN", "+Inf", "-Inf"];
      assert.deepEqual(
        samplesOf(text),
        expected.map((number) => `x ${number}`),
      );
    });
  }

  it("escape backslash and newline in a help text, OpenMetrics quotes too", async () => {
    const family = { name: "x", help: 'a\\b "c"\nd', type: "gauge", values: [] };
    assert.match(await expose(family, "text/plain"), /^# HELP x a\\\\b "c"\\nd$/m);
    assert.match(await expose(family, "application/openmetrics-text"), /^# HELP x a\\\\b \\"c\\"\\nd$/m);
  });
});
