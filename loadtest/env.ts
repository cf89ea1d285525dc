/** What the environment says, else what is otherwise so; a blank is no number, though it would count as 0. */
function number(name: string, otherwise: number): { text: string; value: number } {
  const text = __ENV[name] ?? `${otherwise}`;
  return { text, value: text.trim() === "" ? Number.NaN : Number(text) };
}

/** An integer from the environment. */
export function integer(name: string, otherwise: number, { min = 1 }: { min?: number } = {}): number {
  const { text, value } = number(name, otherwise);
  if (Number.isInteger(value) && value >= min) return value;
  throw new Error(`Cannot read ${name} "${text}": should be an integer of at least ${min}`);
}

/** A share from the environment, from 0 to 1. */
export function share(name: string, otherwise: number): number {
  const { text, value } = number(name, otherwise);
  if (value >= 0 && value <= 1) return value;
  throw new Error(`Cannot read ${name} "${text}": should be a number from 0 to 1`);
}

/** The address of the shop, without a slash at the end. */
export function target(): string {
  const url = __ENV.TARGET || "http://127.0.0.1:8000";
  if (/^https?:\/\/[^/\s]+\/?$/.test(url)) return url.replace(/\/$/, "");
  throw new Error(`Cannot read TARGET "${url}": should be such as http://127.0.0.1:8000`);
}
