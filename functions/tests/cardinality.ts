import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { metrics } from "@shop/platform/catalogue";
import { problems } from "@shop/platform/problem";
import type { Description } from "./input/openapi.ts";
import { openKeptAlive } from "./kept-alive.ts";
import { createInventor, type Inventor, knownMethods, mark, type Shape, shapesOf } from "./made-up.ts";
import { openSink } from "./otlp-sink.ts";
import { openScene, type Scene } from "./scene.ts";
import { seed } from "./seed.ts";
import type { FunctionName } from "./shop.ts";

const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;
const connections = 4; // to each function
/** Bun closes the connection of a method that is not in its table. */
const answeredMin = 0.9;
const growthMaxMb = 10;
/** A runtime takes tens of megabytes for compiled code and for garbage not yet collected; without them only what is kept can grow. */
const memory = { BUN_JSC_useJIT: "false", DENO_V8_FLAGS: "--max-heap-size=64" };

const labelNames = new Set(["service", "le", "quantile", ...Object.values(metrics).flatMap(({ labels }) => labels)]);
const methods = new Set([...knownMethods, "_OTHER"]);
const statuses = new Set([200, 201, 202, 304, ...Object.values(problems).map(({ status }) => status)].map(String));
const formats = ["text/plain", "application/openmetrics-text"];

const everywhere = ["/openapi.json", "unmatched"];
const page = { get: { responses: { 200: {} } } };
const pages = ["/", "/docs", "/docs/problems", "/page.css", "/page.js", "/icon.svg", "/docs/docs.css", "/docs/docs.js"];

const statement =
  /^(connect|BEGIN|COMMIT|SAVEPOINT|ROLLBACK|(SELECT|INSERT|UPDATE) (items|reservations|orders|users))$/;
const bootPhase = /^boot (modules|config|listen|idle)$/;

/** What one function has told. */
type Told = {
  name: FunctionName;
  routes: ReadonlySet<string>;
  /** Its series once every shape of a request had been asked, and at the end. */
  warm: ReadonlySet<string>;
  now: ReadonlySet<string>;
  /** What the latter stand in. */
  texts: string[];
  /** How many requests it answered. */
  answered: number;
  halfMb: number;
  endMb: number;
};

type Cardinality = {
  count: number;
  /** Takes the figures of one runtime, as lines of a table. */
  report?: (title: string, lines: string[]) => void;
};

/** Asks the functions `count` times for what a caller can make up: their series, their spans' names and their memory stay what they were. */
export function describeCardinality({ count, report }: Cardinality): void {
  for (const runtime of ["bun", "deno"] as const) {
    describe(`${count} requests that callers made up, on ${runtime}`, () => {
      let told: Told[];
      let spans: SpanNames;

      before(async () => {
        spans = await openSpanNames();
        const env = { ...memory, OTEL_EXPORTER_OTLP_ENDPOINT: spans.url, OTEL_BSP_MAX_QUEUE_SIZE: "20000" };
        const scene = await openScene({
          runtime,
          bundled: true,
          env: Object.fromEntries(names.map((name) => [name, env])),
        });
        try {
          told = await askAll(scene, count);
        } finally {
          await scene.close(); // the last spans are sent on SIGTERM
        }
      });
      after(() => spans.close());

      if (report) it("are written down", () => report(`Made-up requests on ${runtime}`, tableOf(told)));

      it("are answered", () => {
        for (const { name, answered } of told) {
          const least = (answeredMin * count) / names.length;
          assert.ok(answered >= least, `${name} answered ${answered}`);
        }
      });

      it("make no series but for what matched no route or has no known method", () => {
        for (const { name, warm, now } of told) {
          const added = [...now].filter((series) => !warm.has(series));
          assert.deepEqual(
            added.filter((series) => !/route="unmatched"|method="_OTHER"/.test(series)),
            [],
            name,
          );
        }
      });

      it("make no more series than there are routes × methods × statuses", () => {
        for (const { name, routes, now } of told) {
          const outside = [...now].filter((series) => {
            const { method = "GET", route = "unmatched", status_code = "200", ...others } = labelsOf(series);
            const isInside = methods.has(method) && routes.has(route) && statuses.has(status_code);
            return !isInside || Object.keys(others).some((label) => !labelNames.has(label));
          });
          assert.deepEqual(outside, [], name);
        }
      });

      it("leave nothing of what was made up in a metric, in either format", () => {
        for (const { name, texts } of told) {
          for (const text of texts) assert.doesNotMatch(text, new RegExp(mark, "i"), name);
        }
      });

      it("give no span a name but that of a route, a method, a statement or a phase of the boot", () => {
        const routes = new Set(told.flatMap(({ routes }) => [...routes]));
        const known = (name: string) => {
          const [method = "", route, ...more] = name.split(" ");
          return (
            (methods.has(method) || method === "HTTP") &&
            (route === undefined || routes.has(route)) &&
            more.length === 0
          );
        };
        assert.ok(spans.count >= count, `${spans.count} spans came`);
        const odd = [...spans.names].filter((name) => !known(name) && !statement.test(name) && !bootPhase.test(name));
        assert.deepEqual(odd, []);
      });

      it(`let no process grow by more than ${growthMaxMb} MB over their second half`, () => {
        for (const { name, halfMb, endMb } of told) {
          assert.ok(endMb - halfMb <= growthMaxMb, `${name}: ${halfMb} MB, then ${endMb} MB`);
        }
      });
    });
  }
}

/** First every shape once, in turn; then any of them, in two halves. */
async function askAll({ shop }: Scene, count: number): Promise<Told[]> {
  const subjects = await Promise.all(names.map((name) => meet(name, shop.urls[name])));
  const invent = createInventor(seed);
  for (const { url, shapes } of subjects) await askOn(url, shapes.values(), invent);
  const warm = await readAll(subjects);
  const answered = subjects.map(() => 0);

  /** Asks each function its share of a half; the memory of each then. */
  async function askHalf(): Promise<number[]> {
    const share = Math.ceil(count / subjects.length / 2);
    const counts = await Promise.all(subjects.map((subject) => askShare(subject, invent, share)));
    for (const [i, one] of counts.entries()) answered[i] = (answered[i] ?? 0) + one;
    return names.map((name) => residentMb(shop.process(name).pid));
  }
  const half = await askHalf();
  const whole = await askHalf();
  const end = await readAll(subjects);

  return subjects.map(({ name, routes }, i) => ({
    name,
    routes,
    warm: seriesOf(warm[i] ?? []),
    now: seriesOf(end[i] ?? []),
    texts: end[i] ?? [],
    answered: answered[i] ?? 0,
    halfMb: half[i] ?? 0,
    endMb: whole[i] ?? Number.POSITIVE_INFINITY,
  }));
}

type Subject = { name: FunctionName; url: string; routes: Set<string>; shapes: Shape[] };

async function meet(name: FunctionName, url: string): Promise<Subject> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Description;
  if (name !== "frontend") {
    const routes = Object.keys(paths).map((path) => path.replaceAll(/\{(\w+)\}/g, ":$1"));
    return { name, url, routes: new Set([...routes, ...everywhere]), shapes: shapesOf({ paths }) };
  }
  const all = { ...paths, ...Object.fromEntries(pages.map((path) => [path, page])) };
  return { name, url, routes: new Set([...pages, ...everywhere, "/api/*"]), shapes: shapesOf({ paths: all }) };
}

/** Asks `count` times for any shape, on several connections; how many were answered. */
async function askShare({ url, shapes }: Subject, invent: Inventor, count: number): Promise<number> {
  const chosen = Array.from({ length: count }, () => invent.one(shapes)).values();
  const answered = await Promise.all(Array.from({ length: connections }, () => askOn(url, chosen, invent)));
  return answered.reduce((sum, one) => sum + one, 0);
}

/** Asks on one connection until nothing is left. */
async function askOn(url: string, shapes: IterableIterator<Shape>, invent: Inventor): Promise<number> {
  const connection = openKeptAlive(url);
  let answered = 0;
  for (const shape of shapes) if ((await connection.ask(shape(invent))) !== undefined) answered += 1;
  connection.close();
  return answered;
}

/** What each function exposes, in both formats. */
const readAll = (subjects: Subject[]): Promise<string[][]> =>
  Promise.all(subjects.map(({ url }) => Promise.all(formats.map((format) => read(url, format)))));

async function read(url: string, format: string): Promise<string> {
  const reply = await fetch(`${url}/metrics`, { headers: { Accept: format } });
  assert.ok(reply.headers.get("Content-Type")?.startsWith(format));
  return reply.text();
}

/** The names and labels of all series, without value and exemplar. */
function seriesOf(texts: string[]): Set<string> {
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line !== "" && !line.startsWith("#"));
  return new Set(lines.map((line) => line.replace(/ # .*/, "").replace(/ \S+$/, "")));
}

function labelsOf(series: string): Record<string, string> {
  const pairs = [...series.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)];
  return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
}

function residentMb(pid: number): number {
  return Math.round(Number(execFileSync("ps", ["-o", "rss=", "-p", `${pid}`], { encoding: "utf8" })) / 1024);
}

type SpanNames = { url: string; names: Set<string>; count: number; close(): Promise<void> };

/** A collector that keeps no more of the spans than their names. */
async function openSpanNames(): Promise<SpanNames> {
  const sink = await openSink();
  const told: SpanNames = {
    url: sink.url,
    names: new Set(),
    count: 0,
    close: async () => void (await sink[Symbol.asyncDispose]()),
  };
  sink.spans.push = (...spans) => {
    for (const { name } of spans) told.names.add(name);
    told.count += spans.length;
    return 0;
  };
  sink.bodies.push = () => 0;
  return told;
}

function tableOf(told: readonly Told[]): string[] {
  const known = (series: ReadonlySet<string>) =>
    [...series].filter((one) => !/route="unmatched"|method="_OTHER"/.test(one)).length;
  return [
    "| function | answered | series of known routes and methods, after one request of each shape | at the end | all series at the end |",
    "|---|---|---|---|---|",
    ...told.map(
      ({ name, answered, warm, now }) => `| ${name} | ${answered} | ${known(warm)} | ${known(now)} | ${now.size} |`,
    ),
  ];
}
