import { fileURLToPath } from "node:url";
import { startProcess } from "@shop/dev/process";
import { shop as functions } from "@shop/dev/shop";
import pg from "pg";
import type { Description } from "./input/openapi.ts";
import { openKeptAlive, type RawRequest, statusOf } from "./kept-alive.ts";
import { openSink, type Sink } from "./otlp-sink.ts";
import { openScene, type Scene } from "./scene.ts";
import { type SecretRequests, secretRequests } from "./secret-requests.ts";
import type { Secrets, Sighting } from "./secrets.ts";
import { type FunctionName, runtimeCommand, type Shop } from "./shop.ts";

export const names = ["frontend", "gateway", "orders", "inventory", "users"] as const;
const pages = ["/", "/docs", "/docs/problems", "/page.js"];
const formats = ["text/plain", "application/openmetrics-text"];
const failMaxMs = 10_000;
const pathOf = (name: FunctionName) => fileURLToPath(new URL(`../${name}/dist/main.js`, import.meta.url));

/** A shop whose configuration and whose callers are full of secrets, and all that comes to light. */
export type Stage = {
  secrets: Secrets;
  scene: Scene;
  sink: Sink;
  sightings: Sighting[];
  /** All that was written to the functions: requests, and variables. */
  sent: string[];
  /** Asks one function; the statuses of its answers. */
  ask(name: FunctionName, which: keyof SecretRequests): Promise<Set<number>>;
  /** Starts a function with its secrets, and with these variables besides. */
  start(name: FunctionName, env?: Record<string, string>): Promise<void>;
  /** Reads a function's metrics and ends it. */
  end(name: FunctionName): Promise<void>;
  /** Runs a function that cannot start; its exit code. */
  fail(name: FunctionName, env: Record<string, string>): Promise<number | null>;
  /** Ends all functions; then all that they told is among the sightings. */
  collect(): Promise<void>;
  close(): Promise<void>;
};

export async function openStage(runtime: "bun" | "deno", secrets: Secrets): Promise<Stage> {
  const sink = await openSink();
  const scene = await openScene({ runtime, bundled: true });
  const { shop } = scene;
  const sightings: Sighting[] = [];
  const sent: string[] = [];
  const descriptions = await describeAll(shop);
  const own = await configure({ scene, sink, secrets });

  async function readMetrics(name: FunctionName): Promise<void> {
    for (const Accept of formats) {
      const reply = await fetch(`${shop.urls[name]}/metrics`, { headers: { Accept } });
      sightings.push({ place: "metric", text: await reply.text() });
    }
  }

  const stage: Stage = {
    secrets,
    scene,
    sink,
    sightings,
    sent,
    async ask(name, which) {
      const edge = name === "frontend" || name === "gateway";
      const requests = secretRequests(secrets, { edge })[which](descriptions[name]);
      sent.push(JSON.stringify(requests));
      const answers = await askEach(shop.urls[name], requests);
      sightings.push(...answers.map((text): Sighting => ({ place: "reply", text })));
      return new Set(answers.map(statusOf));
    },
    async start(name, more = {}) {
      const env = { ...own[name], ...more };
      sent.push(JSON.stringify(env));
      await shop.start(name, { env });
    },
    async end(name) {
      await readMetrics(name);
      await shop.end(name);
      await shop.process(name).closed;
    },
    async fail(name, more) {
      sent.push(JSON.stringify(more));
      const running = startProcess({
        command: [...runtimeCommand(runtime), pathOf(name)],
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...own[name], ...more },
        orphanSignal: "SIGKILL",
        onLine: (line) => shop.lines.push(line),
      });
      const timer = setTimeout(() => running.signal("SIGKILL"), failMaxMs);
      const { code } = await running.closed;
      clearTimeout(timer);
      return code;
    },
    async collect() {
      for (const name of names) await stage.end(name);
      sightings.push(...shop.lines.map((text): Sighting => ({ place: "log", text })));
      sightings.push(...sink.spans.map((span): Sighting => ({ place: "span", text: JSON.stringify(span) })));
      sightings.push(...sink.bodies.map((body): Sighting => ({ place: "span", text: body.toString("latin1") })));
    },
    async close() {
      for (const { pool } of databasesOf(scene)) await pool.query(`drop role if exists ${roleName(secrets)}`);
      await scene.close();
      await sink[Symbol.asyncDispose]();
    },
  };
  for (const name of names) {
    await shop.end(name);
    await stage.start(name);
  }
  return stage;
}

/** What each function is asked for: what it describes, and the frontend's pages. */
async function describeAll({ urls }: Shop): Promise<Record<FunctionName, Description>> {
  const described = names.map(async (name) => {
    const { paths } = (await (await fetch(`${urls[name]}/openapi.json`)).json()) as Description;
    const more = name === "frontend" ? pages.map((path) => [path, { get: { responses: {} } }]) : [];
    return [name, { paths: { ...paths, ...Object.fromEntries(more) } }] as const;
  });
  return Object.fromEntries(await Promise.all(described)) as Record<FunctionName, Description>;
}

export const databasesOf = ({ orders, inventory, users }: Scene) => [orders, inventory, users];

/** The role of the databases' URLs, as it stands in SQL. */
export const roleName = (secrets: Secrets): string => pg.escapeIdentifier(secrets["user of the database"].value);

/** The variables of each function, with a role and a collector that take them. */
async function configure({ scene, sink, secrets }: { scene: Scene; sink: Sink; secrets: Secrets }) {
  const role = roleName(secrets);
  const password = pg.escapeLiteral(secrets["password of the database"].value);
  for (const { pool } of databasesOf(scene)) {
    await pool.query(`drop role if exists ${role}`); // several databases may be of one server
    await pool.query(`create role ${role} login password ${password}`);
    await pool.query(`grant pg_read_all_data, pg_write_all_data to ${role}`);
  }

  const withUser = (url: string, user: keyof Secrets, word: keyof Secrets) => {
    const changed = new URL(url);
    changed.username = encodeURIComponent(secrets[user].value);
    changed.password = encodeURIComponent(secrets[word].value);
    return changed;
  };
  const header = encodeURIComponent(`Bearer ${secrets["header to the collector"].value}`);
  const common = {
    LOG_LEVEL: "trace",
    REQUEST_TIMEOUT_MS: "1500",
    OTEL_EXPORTER_OTLP_ENDPOINT: withUser(sink.url, "user of the collector", "password of the collector").href,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${header}`,
    OTEL_BSP_SCHEDULE_DELAY: "50",
  };
  return Object.fromEntries<Record<string, string>>(
    functions.map(({ name, peers }) => {
      const peerUrls = Object.entries(peers).map(([key, peer]) => {
        const url = withUser(scene.shop.urls[peer as FunctionName], "user of a peer", "password of a peer");
        return [key, url.href] as const;
      });
      return [name, { ...common, ...Object.fromEntries(peerUrls), ...databaseOf(name) }];
    }),
  ) as Record<FunctionName, Record<string, string>>;

  function databaseOf(name: string): Record<string, string> {
    const database = Object.entries(scene.shop.databases).find(([owner]) => owner === name)?.[1];
    if (!database) return {};
    const url = withUser(database.url, "user of the database", "password of the database");
    url.searchParams.set("application_name", secrets["parameter of the database's URL"].value);
    return { DATABASE_URL: url.href };
  }
}

/** Asks on one connection; the answers that came, whole. */
async function askEach(url: string, requests: RawRequest[]): Promise<string[]> {
  const connection = openKeptAlive(url);
  const answers: string[] = [];
  for (const request of requests) answers.push((await connection.ask(request)) ?? "");
  connection.close();
  return answers;
}
