import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCanonical, quantity, seconds } from "./quantity.ts";

describe("a quantity", () => {
  it("is read with its unit, and refused without one that exists", () => {
    assert.deepEqual(["2", "25m", "1.5Gi", "1k"].map(quantity), [2, 0.025, 1.5 * 2 ** 30, 1000]);
    assert.throws(() => quantity("1Foo"), /Cannot read "1Foo": should be a Kubernetes quantity/);
  });

  it("is canonical when the API server would write it the same way", () => {
    assert.deepEqual(["25m", "1", "96Mi", "1500m", "1Gi"].filter(isCanonical), ["25m", "1", "96Mi", "1500m", "1Gi"]);
    assert.deepEqual(["0.5", "1000m", "1024Mi", "1.5Gi", ""].filter(isCanonical), []);
  });
});

it("a duration is one in whole seconds and nothing else", () => {
  assert.deepEqual(["60s", "0s", "1m", "1.5s", "60", "-6s", undefined].map(seconds), [60, 0, NaN, NaN, NaN, NaN, NaN]);
});
