const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const pattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;

export const isDuration = (text: string): boolean => pattern.test(text);

/** Milliseconds of a duration as k6 writes it, such as `1m30s`, `500ms`, `0s`. */
export function durationMs(text: string): number {
  if (!isDuration(text)) throw new Error(`Cannot read the duration "${text}": should be such as 500ms, 30s or 1m30s`);
  return [...text.matchAll(/([\d.]+)([a-z]+)/g)].reduce(
    (sum, [, amount, unit = ""]) => sum + Number(amount) * (unitMs[unit] ?? Number.NaN),
    0,
  );
}
