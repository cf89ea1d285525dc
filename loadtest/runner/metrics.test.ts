import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMetrics } from "./metrics.ts";

function trendOf(values: readonly number[]) {
  const metrics = createMetrics();
  metrics.define("t", "trend", "time");
  for (const value of values) metrics.add("t", value, {});
  return (method: string) => metrics.select("t").sink.aggregate(method, 1_000);
}

describe("a trend", () => {
  // numpy.percentile([15, 20, 35, 40, 50, 7, 101.5], …) with its default method
  const at = trendOf([15, 20, 35, 40, 50, 7, 101.5]);

  for (const [method, expected] of [
    ["min", 7],
    ["max", 101.5],
    ["med", 35],
    ["avg", 268.5 / 7],
    ["p(0)", 7],
    ["p(25)", 17.5],
    ["p(90)", 70.6],
    ["p(95)", 86.05],
    ["p(99)", 98.41],
    ["p(99.9)", 101.191],
    ["p(100)", 101.5],
    ["count", 7],
  ] as const) {
    it(`has ${method} as a reference has`, () => {
      assert.ok(Math.abs((at(method) ?? Number.NaN) - expected) < 1e-9, `${at(method)}`);
    });
  }

  it("has zeros of nothing, and itself of one value", () => {
    const [none, one] = [trendOf([]), trendOf([3])];
    for (const method of ["min", "max", "avg", "med", "p(95)"]) {
      assert.equal(none(method), 0, method);
      assert.equal(one(method), 3, method);
    }
  });

  it("takes values after it was asked", () => {
    const metrics = createMetrics();
    metrics.define("t", "trend");
    const { sink } = metrics.select("t");
    metrics.add("t", 2, {});
    assert.equal(sink.aggregate("min", 1), 2);
    metrics.add("t", 1, {});
    assert.equal(sink.aggregate("min", 1), 1);
  });
});

describe("a metric", () => {
  it("of each type says what k6's says", () => {
    const metrics = createMetrics();
    for (const type of ["counter", "gauge", "rate"] as const) metrics.define(type, type);
    for (const value of [3, 0, 2]) for (const name of ["counter", "gauge", "rate"]) metrics.add(name, value, {});
    const at = (name: string, method: string) => metrics.select(name).sink.aggregate(method, 2_000);
    assert.deepEqual([at("counter", "count"), at("counter", "rate")], [5, 2.5]);
    assert.deepEqual([at("gauge", "value"), at("gauge", "min"), at("gauge", "max")], [2, 0, 3]);
    assert.deepEqual([at("rate", "rate"), at("rate", "passes"), at("rate", "fails")], [2 / 3, 2, 1]);
  });

  it("counts in a part of it only the samples that carry all its tags", () => {
    const metrics = createMetrics();
    const hold = metrics.select("http_reqs{scenario:hold,status:200}");
    metrics.add("http_reqs", 1, { scenario: "hold", status: "200", method: "GET" });
    metrics.add("http_reqs", 1, { scenario: "hold", status: "500" });
    metrics.add("http_reqs", 1, { status: "200" });
    assert.equal(hold.sink.aggregate("count", 1), 1);
    assert.equal(metrics.select("http_reqs").sink.aggregate("count", 1), 3);
  });

  it("has one part a selector, however its tags are written", () => {
    const metrics = createMetrics();
    assert.equal(metrics.select("http_reqs{a:b}"), metrics.select("http_reqs{a:b}"));
    const quoted = metrics.select('http_reqs{ name : "GET /x" , url:http://h:1/ }');
    metrics.add("http_reqs", 1, { name: "GET /x", url: "http://h:1/" });
    assert.equal(quoted.sink.aggregate("count", 1), 1);
  });

  it("that nobody defines, or that is defined twice, is refused by name", () => {
    const metrics = createMetrics();
    assert.throws(() => metrics.select("group_duration"), { message: /^Cannot find the metric "group_duration"/ });
    assert.throws(() => metrics.select("http_reqs{status}"), {
      message: /^Cannot find the metric "http_reqs{status}"/,
    });
    assert.throws(() => metrics.define("http_req_duration", "trend"), { message: /it is a trend already/ });
    assert.throws(() => metrics.define("http_reqs", "trend"), { message: /"http_reqs": it is a counter already/ });
    assert.throws(() => metrics.define("http reqs", "trend"), { message: /"http reqs": not a name/ });
  });
});
