export type RateStage = { fromPerMs: number; toPerMs: number; durationMs: number };

const rounding = 1e-6;

/**
 * When iterations are due, in milliseconds from the start: the k-th, from 0, where the area under the rate is k. So as many start as the
 * area is large, evenly spaced at a constant rate, and nothing depends on how long an iteration takes.
 */
export function* dueTimes(stages: readonly RateStage[]): Generator<number> {
  let stageStartMs = 0;
  let area = 0;
  let k = 0;
  for (const { fromPerMs, toPerMs, durationMs } of stages) {
    const stageArea = ((fromPerMs + toPerMs) / 2) * durationMs;
    const slope = (toPerMs - fromPerMs) / durationMs;
    for (; k < area + stageArea - rounding; k++) {
      const wanted = Math.max(0, k - area);
      const root = Math.sqrt(Math.max(0, fromPerMs ** 2 + 2 * slope * wanted));
      yield stageStartMs + (wanted === 0 ? 0 : (2 * wanted) / (fromPerMs + root));
    }
    area += stageArea;
    stageStartMs += durationMs;
  }
}
