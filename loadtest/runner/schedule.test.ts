import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { durationMs } from "./duration.ts";
import { dueTimes, type RateStage } from "./schedule.ts";

const perSecond = (from: number, to: number, seconds: number): RateStage => ({
  fromPerMs: from / 1_000,
  toPerMs: to / 1_000,
  durationMs: seconds * 1_000,
});

test("at a constant rate iterations are evenly spaced, the first at once", () => {
  assert.deepEqual(
    [...dueTimes([perSecond(10, 10, 1)])].map(Math.round),
    [0, 100, 200, 300, 400, 500, 600, 700, 800, 900],
  );
});

test("while the rate rises from zero, half of the iterations fall into the last 29 % of the time", () => {
  const due = [...dueTimes([perSecond(0, 100, 2)])];
  assert.equal(due.length, 100);
  assert.equal(due.filter((ms) => ms >= 2_000 * Math.SQRT1_2 - 1e-6).length, 50);
});

test("as many iterations start as the area under the rate, in order, and each when the area below it is its number", () => {
  const Stage = fc.record({ to: fc.integer({ min: 0, max: 300 }), seconds: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), fc.array(Stage, { minLength: 1, maxLength: 4 }), (first, list) => {
      let from = first;
      const stages = list.map(({ to, seconds }) => {
        const stage = perSecond(from, to, seconds);
        from = to;
        return stage;
      });
      const due = [...dueTimes(stages)];
      assert.equal(due.length, Math.ceil(areaUntil(stages, Number.POSITIVE_INFINITY) - 1e-6));
      for (const [k, ms] of due.entries()) assert.ok(Math.abs(areaUntil(stages, ms) - k) < 1e-3, `${k} at ${ms}`);
      assert.deepEqual(
        due,
        due.toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 100 },
  );
});

/** Iterations that should have begun by then, by adding up thin slices' exact trapezia. */
function areaUntil(stages: RateStage[], untilMs: number): number {
  let startMs = 0;
  let area = 0;
  for (const { fromPerMs, toPerMs, durationMs } of stages) {
    const ms = Math.max(0, Math.min(durationMs, untilMs - startMs));
    const end = fromPerMs + ((toPerMs - fromPerMs) * ms) / durationMs;
    area += ((fromPerMs + end) / 2) * ms;
    startMs += durationMs;
  }
  return area;
}

test("a duration is read as k6 writes it", () => {
  assert.equal(durationMs("500ms"), 500);
  assert.equal(durationMs("0s"), 0);
  assert.equal(durationMs("1m30s"), 90_000);
  assert.equal(durationMs("1h0.5s"), 3_600_500);
  for (const text of ["", "5", "5 s", "-1s", "1d", "s"]) {
    assert.throws(() => durationMs(text), { message: /^Cannot read the duration/ }, text);
  }
});
