import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { register } from "prom-client";
import { metrics as catalogue, durationBuckets, type MetricName } from "./catalogue.ts";
import { createMetrics } from "./metrics.ts";

const open = (service = "test") => createMetrics({ service, listeningMs: () => 0 });
const names = Object.keys(catalogue) as MetricName[];

/** Uses an instrument once, with these labels. */
function use(metrics: ReturnType<typeof open>, name: MetricName, labels: object): void {
  const { type } = catalogue[name];
  if (type === "counter") metrics.counter(name as never).inc(labels as never);
  else if (type === "gauge") metrics.gauge(name as never).set(labels as never, 1);
  else if (type === "summary") metrics.summary(name as never).observe(labels as never, 1);
  else metrics.histogram(name as never).observe({ labels: labels as never, value: 1 });
}

const declaredLabels = (name: MetricName) => Object.fromEntries(catalogue[name].labels.map((label) => [label, "x"]));

describe("createMetrics", () => {
  it("has every metric of the catalogue, with its type, its help and its labels", async () => {
    const metrics = open();
    for (const name of names) use(metrics, name, declaredLabels(name));
    const families = await metrics.registry.getMetricsAsJSON();
    assert.deepEqual(
      families.map(({ name, type, help }) => ({ name, type: `${type}`, help })),
      names.map((name) => ({ name, type: catalogue[name].type, help: catalogue[name].help })),
    );
    for (const { name, values } of families) {
      const labels = new Set(values.flatMap((sample) => Object.keys(sample.labels)));
      labels.delete("le");
      labels.delete("quantile");
      assert.deepEqual([...labels].sort(), [...catalogue[name as MetricName].labels, "service"].sort(), name);
    }
  });

  it("takes no label that is not declared", () => {
    for (const name of names) {
      const labels = { ...declaredLabels(name), customer: "x" };
      assert.throws(() => use(open(), name, labels), /customer/, name);
    }
  });

  it("says on every series whose it is", async () => {
    const metrics = open("orders");
    for (const name of names) use(metrics, name, declaredLabels(name));
    for (const type of ["text/plain", "application/openmetrics-text"] as const) {
      const samples = (await metrics.expose(type)).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      assert.ok(samples.length > names.length);
      for (const line of samples) assert.match(line, /[{,]service="orders"[,}]/);
    }
  });

  it("gives one instrument for one name, however often it is asked", async () => {
    const metrics = open();
    assert.equal(metrics.counter("orders_total"), metrics.counter("orders_total"));
    metrics.counter("orders_total").inc({ status: "CONFIRMED" });
    metrics.counter("orders_total").inc({ status: "CONFIRMED" });
    assert.match(await metrics.expose("text/plain"), /^orders_total\{status="CONFIRMED",service="test"\} 2$/m);
  });

  it("keeps nothing in common with another, and nothing global", async () => {
    const [one, other] = [open(), open()];
    for (const name of names) use(one, name, declaredLabels(name));
    assert.equal(await other.expose("text/plain"), "");
    assert.deepEqual(register.getMetricsAsArray(), []);
  });

  it("shows no gauge before it is set, and a counter without labels from 0", async () => {
    const metrics = open();
    metrics.gauge("users_registered");
    metrics.gauge("inventory_stock_level");
    metrics.counter("function_boots_total");
    const samples = async () =>
      (await metrics.expose("text/plain")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    assert.deepEqual(await samples(), ['function_boots_total{service="test"} 0']);
    metrics.gauge("users_registered").set(0);
    assert.deepEqual(await samples(), ['users_registered{service="test"} 0', 'function_boots_total{service="test"} 0']);
  });

  it("measures durations in the catalogue's buckets, with exemplars", async () => {
    const metrics = open();
    metrics.histogram("http_request_duration_seconds").observe({
      labels: { method: "GET", route: "/", status_code: "200", cold: "false" },
      value: 0.0004,
      exemplarLabels: { trace_id: "t" } as object,
    });
    const text = await metrics.expose("application/openmetrics-text");
    const bounds = [...text.matchAll(/_bucket\{le="([^"]+)"/g)].map((match) => match[1]);
    assert.deepEqual(bounds.map(Number), [...durationBuckets, Number.NaN]);
    assert.equal(bounds.at(-1), "+Inf");
    assert.match(text, /le="0\.0005".* 1 # \{trace_id="t"\} 0\.0004 \d/);
  });
});
