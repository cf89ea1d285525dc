import fc from "fast-check";

/** What a client may send where something else is asked for. */

export const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export const mediaTypes = [
  "",
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/problem+json",
  "application/jsonx",
  "application/json, text/plain",
  "json",
  "*/*",
  ";",
];

const segments = "% %zz %00 %0a %2f ..%2f..%2fetc %c3%28 %ff %25 %u0041 + ; * ' a __proto__ constructor".split(" ");

/** A segment of a path as it is sent; never `.` or `..`, which a client takes away itself. */
export const segment = fc
  .oneof(
    fc.string({ minLength: 1, unit: "grapheme" }).map(encodeURIComponent),
    fc.constantFrom(...segments, "x".repeat(64), "x".repeat(65), "1".repeat(4_000)),
    fc.integer().map(String),
  )
  .filter((text) => !/^(\.|%2e){1,2}$/i.test(text));

/** A text as a header can carry it. */
export const text = fc.oneof(
  fc.stringMatching(/^[!-~\x80-\xff]{0,40}$/),
  fc.constantFrom("", "0", "-1", "1.5", "1e3", "true", "null", "[object Object]", "__proto__", "x".repeat(4_000)),
);

const numbers = [-1, 0, 0.5, 1_001, 2 ** 31, 2 ** 53, 1e308, -1e308];
const others = [null, true, "", "1", [], {}, "item1 ", "ITEM1", "nothing", "\u0000", "x".repeat(65)];

export const value: fc.Arbitrary<unknown> = fc.oneof(fc.constantFrom<unknown>(...numbers, ...others), fc.jsonValue());

/** Bodies that no change of a value makes. */
export const bodies = [
  "",
  " ",
  "null",
  "[]",
  "NaN",
  "{",
  '{"item":"item1","quantity":1,}',
  "{'item':'item1','quantity':1}",
  "[".repeat(10_000),
  '{"lines":'.repeat(5_000),
  '{"item":"item1","quantity":1e400}',
  '{"item":"item1","quantity":1.0}',
  '{"item":"item1","quantity":-0}',
  '{"item":"item1","quantity":01}',
  '{"item":"item1","quantity":0,"quantity":1}',
  '{"item":"item1\\u0000","quantity":1}',
  '{"item":"\\ud800","quantity":1}',
  '\ufeff{"item":"item1","quantity":1}',
];

/** The value with one of its parts replaced by `odd` or taken away, or with a member too many; `choice` picks which. */
export function altered(value: unknown, choice: number, odd: unknown): unknown {
  const root = { value: structuredClone(value) };
  const changes = [...changesOf(root, odd)];
  changes[choice % changes.length]?.();
  return root.value;
}

/** The value with each of its parts in turn replaced by each odd value or taken away. */
export function alterations(value: unknown): unknown[] {
  const places = [...changesOf({ value: structuredClone(value) }, null)].length;
  const choices = Array.from({ length: places }, (_, choice) => choice);
  return [...numbers, ...others].flatMap((odd) => choices.map((choice) => altered(value, choice, odd)));
}

function* changesOf(parent: Record<string, unknown>, odd: unknown): Generator<() => void> {
  for (const [name, child] of Object.entries(parent)) {
    yield () => void Object.assign(parent, { [name]: odd });
    yield () => void delete parent[name];
    if (typeof child !== "object" || child === null) continue;
    if (Array.isArray(child)) yield () => void child.push(...Array(100).fill(child[0]));
    else
      for (const extra of ["extra", "__proto__", "constructor"]) {
        yield () => void Object.defineProperty(child, extra, { value: odd, enumerable: true });
      }
    yield* changesOf(child as Record<string, unknown>, odd);
  }
}
