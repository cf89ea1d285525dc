import fc from "fast-check";
import * as odd from "./odd.ts";
import { type Description, jsonOf, type Operation, type Parameter } from "./openapi.ts";
import { fitting, type Schema } from "./schema.ts";

/** A request as it is sent. */
export type Attempt = { method: string; path: string; headers: Record<string, string>; body?: Body };

/** Of a body fast-check prints the beginning only. */
export class Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  constructor(content: string | Uint8Array) {
    this.bytes = new Uint8Array(typeof content === "string" ? new TextEncoder().encode(content) : content);
  }
  [fc.toStringMethod](): string {
    return `${this.bytes.length} bytes ${JSON.stringify(new TextDecoder().decode(this.bytes.slice(0, 300)))}`;
  }
}

type Given = {
  /** Strings that exist in the shop: items, ids, keys. */
  known: readonly string[];
  /** Headers that no operation describes: these, or instead one of the others. */
  usual: Record<string, string>;
  others: readonly Record<string, string>[];
};

const tooLargeBytes = 1024 * 1024;
const wholeMediaTypes = [
  "application/json",
  "application/json; charset=utf-8",
  "Application/JSON",
  "application/json;",
];

/** Requests of one operation, made from its description; each of their parts is mostly as described, and now and then it is not. */
export function attempts(
  { paths }: Description,
  template: string,
  method: string,
  { known, usual, others }: Given,
): fc.Arbitrary<Attempt> {
  const { parameters = [], requestBody }: Partial<Operation> = paths[template]?.[method] ?? {};
  const schema = jsonOf(requestBody?.content);
  const [path, query, header] = (["path", "query", "header"] as const).map((place) =>
    parameters.filter((one) => one.in === place),
  ) as [Parameter[], Parameter[], Parameter[]];

  return fc
    .record({
      method: mostly(fc.constant(method.toUpperCase()), fc.constantFrom(...odd.methods)),
      segments: mostly(
        valuesOf(path, known).map((values) => mapValues(values, encodeURIComponent)),
        fc.record(mapValues(byName(path), () => odd.segment)),
      ),
      query: mostly(
        valuesOf(query, known).map((values) => Object.entries(values)),
        fc.array(fc.tuple(oddName(query), odd.text), { minLength: 1, maxLength: 4 }),
      ),
      headers: mostly(valuesOf(header, known), fc.dictionary(oddName(header), odd.text, { minKeys: 1, maxKeys: 3 })),
      mediaType: mostly(fc.constantFrom(...wholeMediaTypes), fc.constantFrom(...odd.mediaTypes)),
      body: schema ? bodiesOf(schema, known) : fc.constant(undefined),
      other: fc.oneof(fc.constant(usual), fc.constantFrom(...others)),
    })
    .map((parts) => assemble(template, parts));
}

type Parts = {
  method: string;
  segments: Record<string, string>;
  query: [string, string][];
  headers: Record<string, string>;
  mediaType: string;
  body: Body | undefined;
  other: Record<string, string>;
};

function assemble(template: string, { method, segments, query, headers, mediaType, body, other }: Parts): Attempt {
  const search = new URLSearchParams(query).toString();
  const sent = method === "GET" || method === "HEAD" ? undefined : body; // `fetch` sends no other
  return {
    method,
    path: template.replaceAll(/\{(\w+)\}/g, (_, name) => segments[name] ?? "") + (search && `?${search}`),
    headers: { ...other, ...headers, ...(sent && mediaType && { "Content-Type": mediaType }) },
    ...(sent && { body: sent }),
  };
}

/** One whole request of an operation with each known oddity in its turn: no class of them is left to chance. */
export function oddAttempts(
  { paths }: Description,
  template: string,
  method: string,
  { known, usual, others }: Given,
): Attempt[] {
  const { parameters = [], requestBody }: Partial<Operation> = paths[template]?.[method] ?? {};
  const schema = jsonOf(requestBody?.content);
  const one = <T>(arbitrary: fc.Arbitrary<T>): T => fc.sample(arbitrary, { numRuns: 1, seed: 1 })[0] as T;
  const at = (place: Parameter["in"]) =>
    one(
      valuesOf(
        parameters.filter((parameter) => parameter.in === place),
        known,
      ),
    );
  const whole: Parts = {
    method: method.toUpperCase(),
    segments: mapValues(at("path"), encodeURIComponent),
    query: Object.entries(at("query")),
    headers: at("header"),
    mediaType: wholeMediaTypes[0] as string,
    body: schema && new Body(JSON.stringify(one(fitting(schema, known)))),
    other: usual,
  };
  const oddBodies = schema
    ? [
        ...odd.bodies,
        ...odd.alterations(one(fitting(schema, known))).map((value) => JSON.stringify(value) ?? ""),
        " ".repeat(tooLargeBytes),
        Uint8Array.of(0x22, 0xff, 0xfe, 0x22),
      ]
    : [];
  return [
    {},
    ...odd.methods.map((method) => ({ method })),
    ...odd.mediaTypes.map((mediaType) => ({ mediaType })),
    ...others.map((other) => ({ other })),
    ...oddBodies.map((content) => ({ body: new Body(content) })),
  ].map((change) => assemble(template, { ...whole, ...change }));
}

/** So rarely the second that of several parts all are often whole. */
const mostly = <T, U>(whole: fc.Arbitrary<T>, broken: fc.Arbitrary<U>): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 5, arbitrary: whole }, { weight: 1, arbitrary: broken });

function valuesOf(parameters: Parameter[], known: readonly string[]): fc.Arbitrary<Record<string, string>> {
  const values = mapValues(byName(parameters), ({ schema }) => fitting(schema, known) as fc.Arbitrary<string>);
  const requiredKeys = parameters.filter(({ required }) => required).map(({ name }) => name);
  return fc.record(values, { requiredKeys }) as fc.Arbitrary<Record<string, string>>;
}

const byName = (parameters: Parameter[]): Record<string, Parameter> =>
  Object.fromEntries(parameters.map((one) => [one.name, one]));

const mapValues = <T, U>(record: Record<string, T>, map: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));

const oddName = (parameters: Parameter[]) => fc.constantFrom("x-odd", ...parameters.map(({ name }) => name));

function bodiesOf(schema: Schema, known: readonly string[]): fc.Arbitrary<Body> {
  const json = fitting(schema, known).map((value) => JSON.stringify(value));
  const changed = fc
    .tuple(fitting(schema, known), fc.nat(), odd.value)
    .map(([value, choice, part]) => JSON.stringify(odd.altered(value, choice, part)) ?? "");
  const broken = fc.oneof(
    { weight: 3, arbitrary: changed },
    { weight: 1, arbitrary: json.map((text) => text.slice(0, -1)) },
    { weight: 3, arbitrary: json.map((text) => text + " ".repeat(tooLargeBytes)) },
    { weight: 1, arbitrary: fc.constantFrom(...odd.bodies) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  );
  return mostly(json, broken).map((content) => new Body(content));
}

export type Reply = { status: number; headers: Headers; text: string };

export async function send(baseUrl: string, { method, path, headers, body }: Attempt): Promise<Reply> {
  const init = { method, headers, redirect: "manual", ...(body && { body: body.bytes }) } as const;
  const response = await fetch(baseUrl + path, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}
