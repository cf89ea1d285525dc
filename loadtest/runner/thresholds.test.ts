import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMetrics } from "./metrics.ts";
import { readThresholds } from "./thresholds.ts";

const option = (threshold: string, abortOnFail = false, delayAbortEval = 0) => ({
  threshold,
  abortOnFail,
  delayAbortEval,
});

/** How a threshold on a counter of 5 is judged after a second. */
function judge(expression: string) {
  const metrics = createMetrics();
  metrics.add("http_reqs", 5, {});
  return readThresholds({ http_reqs: [option(expression)] }, metrics)[0]?.judge(1_000);
}

describe("a threshold", () => {
  for (const [operator, below, equal, above] of [
    ["<", false, false, true],
    ["<=", false, true, true],
    [">", true, false, false],
    [">=", true, true, false],
    ["==", false, true, false],
    ["===", false, true, false],
    ["!=", true, false, true],
  ] as const) {
    it(`with ${operator} is held against bounds below, at and above the value`, () => {
      const ok = [4.5, 5, 5.5].map((bound) => judge(`count${operator}${bound}`)?.ok);
      assert.deepEqual(ok, [below, equal, above]);
    });
  }

  it("tells what it saw", () => {
    const expected = { metric: "http_reqs", expression: " rate >= 6 ", method: "rate", observed: 5, ok: false };
    assert.deepEqual(judge(" rate >= 6 "), expected);
  });

  it("reads every method of every type, percentiles with a fraction too", () => {
    const metrics = createMetrics();
    metrics.add("http_req_duration", 10, {});
    metrics.add("vus", 3, {});
    metrics.add("checks", 1, {});
    const thresholds = readThresholds(
      {
        http_req_duration: ["avg<11", "min<11", "max<11", "med<11", "p(99.9)<11", "p( 0.5 )<11"].map((one) =>
          option(one),
        ),
        vus: [option("value==3")],
        checks: [option("rate==1")],
        "http_reqs{status:200}": [option("count==0")],
      },
      metrics,
    );
    assert.equal(thresholds.length, 9);
    assert.equal(thresholds[5]?.judge(1).method, "p(0.5)");
    for (const one of thresholds) assert.ok(one.judge(1).ok, JSON.stringify(one.judge(1)));
  });

  it("of a series without a sample sees 0, so that nothing at all does not pass for everything", () => {
    const metrics = createMetrics();
    const [checks, requests] = readThresholds({ checks: [option("rate==1")], http_reqs: [option("count>0")] }, metrics);
    assert.equal(checks?.judge(1).ok, false);
    assert.equal(requests?.judge(1).ok, false);
  });

  it("aborts only where it says so", () => {
    const metrics = createMetrics();
    const list = [option("count>1"), option("count>1", true, 500)];
    const [plain, aborting] = readThresholds({ http_reqs: list }, metrics);
    assert.equal(plain?.abortAfterMs, undefined);
    assert.equal(aborting?.abortAfterMs, 500);
  });

  for (const [metric, expression, message] of [
    ["http_reqs", "count", /should be such as/],
    ["http_reqs", "count=5", /should be such as/],
    ["http_reqs", "count<5 && rate>1", /should be such as/],
    ["http_reqs", "p(95)<5", /a counter has no p\(95\)/],
    ["http_reqs", "avg<5", /a counter has no avg/],
    ["http_req_failed", "count<5", /a rate has no count/],
    ["vus", "max<5", /a gauge has no max/],
    ["http_req_duration", "rate<5", /a trend has no rate/],
    ["http_req_duration", "p(101)<5", /between 0 and 100/],
    ["no_such", "count<5", /Cannot find the metric "no_such"/],
  ] as const) {
    it(`"${expression}" of ${metric} is refused before the run`, () => {
      assert.throws(() => readThresholds({ [metric]: [option(expression)] }, createMetrics()), { message });
    });
  }
});
