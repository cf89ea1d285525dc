const units: Record<string, number> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A Kubernetes quantity as a number: of bytes, cores or things. */
export function quantity(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = units[unit];
  if (number === "" || factor === undefined) throw new Error(`Cannot read "${text}": should be a Kubernetes quantity`);
  return Number(number) * factor;
}

/** Whether the API server would write it the same way: whole, and in the largest unit that keeps it so. */
export function isCanonical(text: string): boolean {
  const [, number = "", unit = ""] = /^(\d+)(m|k|M|G|Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  if (number === "") return false;
  return unit.endsWith("i") ? Number(number) % 1024 !== 0 : Number(number) % 1000 !== 0;
}

/** A duration in whole seconds, as our annotations have them (`60s`); NaN for anything else. */
export const seconds = (text: string | undefined): number => Number(/^(\d+)s$/.exec(text ?? "")?.[1]);
