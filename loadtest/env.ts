/** A number from the environment. */
export function number(name: string, otherwise: number, { min = 0 }: { min?: number } = {}): number {
  const text = __ENV[name] || `${otherwise}`;
  const value = Number(text);
  if (Number.isFinite(value) && value >= min) return value;
  throw new Error(`Cannot read ${name} "${text}": should be a number of at least ${min}`);
}

/** The address of the shop, without a slash at the end. */
export function target(): string {
  const url = __ENV.TARGET || "http://127.0.0.1:8000";
  if (/^https?:\/\/[^/\s]+\/?$/.test(url)) return url.replace(/\/$/, "");
  throw new Error(`Cannot read TARGET "${url}": should be such as http://127.0.0.1:8000`);
}
