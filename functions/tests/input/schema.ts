import fc from "fast-check";

type Type = "string" | "integer" | "number" | "boolean" | "array" | "object";

/** The part of JSON Schema that the contracts use. */
export type Schema = {
  type?: Type;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  format?: keyof typeof formats;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  default?: unknown;
};

/** Where and why a value does not fit; undefined when it does. */
type Fault = string | undefined;

const formats = {
  uuid: /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/,
};

const unless = (fits: boolean, fault: string): Fault => (fits ? undefined : fault);
const someOf = (schemas: Schema[], value: unknown, at: string): Fault =>
  unless(
    schemas.some((one) => misfit(one, value, at) === undefined),
    `${at} fits no alternative`,
  );

/** What each keyword asks of a value; a keyword that is not here is an error, so that none goes unchecked. */
const keywords: {
  [K in keyof Required<Schema>]: (wanted: NonNullable<Schema[K]>, value: unknown, at: string, schema: Schema) => Fault;
} = {
  type: (type, value, at) => unless(hasType(type, value), `${at} is not of type ${type}`),
  const: (constant, value, at) => unless(value === constant, `${at} is not ${constant}`),
  enum: (members, value, at) => unless(members.includes(value), `${at} is not one of ${members}`),
  pattern: (pattern, value, at) =>
    unless(typeof value !== "string" || new RegExp(pattern, "u").test(value), `${at} has another pattern`),
  format: (format, value, at) =>
    unless(typeof value !== "string" || formats[format].test(value), `${at} is not a ${format}`),
  minimum: (minimum, value, at) => unless(typeof value !== "number" || value >= minimum, `${at} is below ${minimum}`),
  maximum: (maximum, value, at) => unless(typeof value !== "number" || value <= maximum, `${at} is above ${maximum}`),
  minItems: (count, value, at) => unless(!Array.isArray(value) || value.length >= count, `${at} is too short`),
  maxItems: (count, value, at) => unless(!Array.isArray(value) || value.length <= count, `${at} is too long`),
  items: (items, value, at) =>
    Array.isArray(value) ? first(value, (item, index) => misfit(items, item, `${at}[${index}]`)) : undefined,
  properties: (properties, value, at) =>
    isObject(value)
      ? first(Object.entries(properties), ([name, one]) =>
          Object.hasOwn(value, name) ? misfit(one, value[name], `${at}.${name}`) : undefined,
        )
      : undefined,
  required: (names, value, at) =>
    isObject(value)
      ? first(names, (name) => unless(Object.hasOwn(value, name), `${at}.${name} is missing`))
      : undefined,
  additionalProperties: (wanted, value, at, { properties = {} }) =>
    isObject(value)
      ? first(Object.keys(value), (name) => {
          if (Object.hasOwn(properties, name)) return undefined;
          return typeof wanted === "boolean"
            ? unless(wanted, `${at}.${name} is unknown`)
            : misfit(wanted, value[name], `${at}.${name}`);
        })
      : undefined,
  propertyNames: (names, value, at) =>
    isObject(value) ? first(Object.keys(value), (name) => misfit(names, name, `a name in ${at}`)) : undefined,
  anyOf: someOf,
  oneOf: someOf,
  default: () => undefined,
};

/** Holds a value against a schema. */
export function misfit(schema: Schema, value: unknown, at = "value"): Fault {
  return first(Object.entries(schema), ([keyword, wanted]) => {
    const check = keywords[keyword as keyof Schema];
    if (!check) throw new Error(`Cannot check "${keyword}": there is no such keyword here`);
    return check(wanted as never, value, at, schema);
  });
}

function first<T>(values: T[], find: (value: T, index: number) => Fault): Fault {
  for (const [index, value] of values.entries()) {
    const found = find(value, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function hasType(type: Type, value: unknown): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  return typeof value === type;
}

/** Values that fit a schema; strings often from `known`, so that some of them exist. */
export function fitting(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  const { type, pattern = "^.*$", format, items = {}, properties = {}, required: requiredKeys = [] } = schema;
  const { minimum: min = 0, maximum: max = 2 ** 31, minItems: minLength = 0, maxItems: maxLength = 10 } = schema;
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return fc.oneof(...alternatives.map((one) => fitting(one, known)));
  switch (type) {
    case "string": {
      const fits = known.filter((value) => misfit(schema, value) === undefined);
      const any = format === "uuid" ? fc.uuid() : fc.stringMatching(new RegExp(pattern, "u"));
      return fits.length > 0 ? fc.oneof(fc.constantFrom(...fits), any) : any;
    }
    case "integer":
      return fc.integer({ min, max });
    case "array":
      return fc.array(fitting(items, known), { minLength, maxLength, size: "xsmall" });
    case "object": {
      const entries = Object.entries(properties).map(([name, one]) => [name, fitting(one, known)] as const);
      return fc.record<Record<string, unknown>>(Object.fromEntries(entries), { requiredKeys });
    }
    default:
      throw new Error(`Cannot make a value of type "${type}": there is no such type here`);
  }
}
