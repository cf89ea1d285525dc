import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOptions } from "./options.ts";

const arrival = { executor: "constant-arrival-rate", rate: 10, duration: "1m", preAllocatedVUs: 5 };

describe("options", () => {
  it("are filled in with k6's defaults", () => {
    const options = readOptions({ scenarios: { one: { executor: "per-vu-iterations" } } });
    assert.deepEqual(options.scenarios.one, {
      executor: "per-vu-iterations",
      vus: 1,
      iterations: 1,
      maxDuration: 600_000,
      exec: "default",
      startTime: 0,
      gracefulStop: 30_000,
      tags: {},
    });
    assert.deepEqual(options.summaryTrendStats, ["avg", "min", "med", "max", "p(90)", "p(95)"]);
    assert.equal(options.maxRedirects, 10);
    const { setupTimeout, teardownTimeout, handleSummaryTimeout } = options;
    assert.deepEqual([setupTimeout, teardownTimeout, handleSummaryTimeout], [60_000, 60_000, 120_000]);
    const ramp = { executor: "ramping-arrival-rate", preAllocatedVUs: 5, stages: [{ target: 10, duration: "1m" }] };
    assert.deepEqual(readOptions({ scenarios: { ramp } }).scenarios.ramp, {
      ...ramp,
      stages: [{ target: 10, duration: 60_000 }],
      startRate: 0,
      timeUnit: 1_000,
      exec: "default",
      startTime: 0,
      gracefulStop: 30_000,
      tags: {},
    });
  });

  for (const [what, options, message] of [
    ["none", undefined, 'Cannot read "options": it is missing'],
    ["no scenario", {}, 'Cannot read "options.scenarios": it is missing'],
    ["not one scenario", { scenarios: {} }, 'Cannot read "options.scenarios": should have one at least'],
    [
      "k6's shortcut",
      { scenarios: { a: arrival }, vus: 10 },
      'Cannot use "options.vus": the runner has no such option',
    ],
    [
      "another option",
      { scenarios: { a: arrival }, rps: 10 },
      'Cannot use "options.rps": the runner has no such option',
    ],
    [
      "another option of a scenario",
      { scenarios: { a: { ...arrival, env: { A: "b" } } } },
      'Cannot use "options.scenarios.a.env": the runner has no such option',
    ],
    [
      "another option of a threshold",
      { scenarios: { a: arrival }, thresholds: { checks: [{ threshold: "rate==1", abort: true }] } },
      'Cannot use "options.thresholds.checks.0.abort": the runner has no such option',
    ],
    [
      "another executor",
      { scenarios: { a: { executor: "ramping-vus", stages: [] } } },
      /^Cannot use "options.scenarios.a.executor": the runner has no "ramping-vus", only .*"per-vu-iterations"/,
    ],
    [
      "a missing part",
      { scenarios: { a: { executor: "constant-arrival-rate", rate: 1, duration: "1s" } } },
      'Cannot read "options.scenarios.a.preAllocatedVUs": it is missing',
    ],
    [
      "a duration without a unit",
      { scenarios: { a: { ...arrival, duration: "10" } } },
      'Cannot read "options.scenarios.a.duration": should be a duration such as 500ms, 30s or 1m30s',
    ],
    [
      "a rate that is no integer",
      { scenarios: { a: { ...arrival, rate: 0.5 } } },
      /^Cannot read "options.scenarios.a.rate"/,
    ],
  ] as const) {
    it(`${what}: refused by name`, () => {
      assert.throws(() => readOptions(options), { message });
    });
  }
});
