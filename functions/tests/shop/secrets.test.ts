import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "@shop/platform/testing";
import { untilWaiting, whileLocked } from "../lock.ts";
import type { Behaviour } from "../otlp-sink.ts";
import { openRaw } from "../raw.ts";
import { databasesOf, names, openStage, roleName, type Stage } from "../secret-stage.ts";
import { createSecrets, leaks, type Place, type Secret } from "../secrets.ts";

/** Every status that a function answers with, and the one it only notes. */
const statuses = [200, 201, 202, 400, 401, 404, 405, 409, 413, 415, 422, 499, 500, 502, 503, 504];
const places: Record<Place, string> = {
  log: "a line of a log, or what went to stderr",
  span: "a span, as bytes or as read",
  metric: "a metric, in either format",
  reply: "a reply, its headers or its body",
};

describe("the search for secrets", () => {
  const forms: Record<string, (value: string) => string> = {
    "as it is": (value) => value,
    "in small letters": (value) => value.toLowerCase(),
    "percent-encoded": encodeURIComponent,
    "escaped in JSON": (value) => JSON.stringify({ [value]: value }),
    "in hexadecimal": (value) => Buffer.from(value).toString("hex"),
    "in Base64": btoa,
    "in Base64 after one byte": (value) => btoa(`:${value}`),
    "in Base64 between others": (value) => btoa(`u:${value}:u`),
    "cut off": (value) => value.slice(-12),
  };
  for (const [form, write] of Object.entries(forms)) {
    it(`finds each ${form}`, () => {
      for (const [name, secret] of Object.entries(createSecrets())) {
        const found = leaks({ [name]: secret }, [{ place: "metric", text: `a ${write(secret.value)} b` }]);
        assert.equal(found.length, 1, name);
      }
    });
  }
});

for (const runtime of ["bun", "deno"] as const) {
  const secrets = createSecrets();

  describe(`${Object.keys(secrets).length} secrets in requests and in the configuration, on ${runtime}`, () => {
    let stage: Stage;
    let exitCodes: (number | null)[];
    before(async () => {
      stage = await openStage(runtime, secrets);
      await allIsWell(stage);
      await collectorIsBad(stage);
      await tablesAreBroken(stage);
      await answersAreLate(stage);
      await peersAreAway(stage);
      await databasesAreAway(stage);
      exitCodes = await functionsCannotStart(stage);
      await stage.collect();
    });
    after(() => stage.close());

    it("every status there is was answered", () => {
      const seen = stage.sightings.flatMap(({ place, text }) => {
        const status = place === "log" ? /"status_code":(\d+)/.exec(text)?.[1] : undefined;
        return status === undefined ? [] : [Number(status)];
      });
      assert.deepEqual([...new Set(seen)].sort(), statuses);
    });

    it("no function starts with a value it cannot read", () => {
      assert.deepEqual([...new Set(exitCodes)], [1]);
    });

    for (const [place, text] of Object.entries(places)) {
      it(`none is in ${text}`, () => {
        const there = stage.sightings.filter((sighting) => sighting.place === place);
        assert.ok(there.length > 0);
        assert.deepEqual(leaks(secrets, there), []);
      });
    }

    it("what is shown on purpose is shown: no exception is older than its reason", () => {
      for (const [name, { allowed, ...secret }] of Object.entries<Secret>(secrets)) {
        for (const place of allowed?.places ?? []) {
          const there = stage.sightings.filter((sighting) => sighting.place === place);
          assert.equal(leaks({ [name]: secret }, there).length, 1, `${name}, in a ${place}`);
        }
      }
    });

    it("the same search finds every one in what was sent", () => {
      const all = leaks(secrets, [{ place: "metric", text: stage.sent.join("\n") }]);
      assert.equal(all.length, Object.keys(secrets).length, all.map((leak) => leak.split(",")[0]).join("\n"));
    });
  });
}

async function allIsWell(stage: Stage): Promise<void> {
  for (const name of names) await stage.ask(name, "every");
}

/** What an exporter says of a collector that does not take its spans may hold the collector's address and headers. */
async function collectorIsBad({ sink, ask }: Stage): Promise<void> {
  for (const behaviour of ["garbage", 500, "hang"] satisfies Behaviour[]) {
    sink.behaviour = behaviour;
    const before = sink.bodies.length;
    for (const name of names) await ask(name, "good");
    await eventually("the collector was asked", () => sink.bodies.length > before);
  }
  sink.behaviour = "ok";
}

/** What a database says of a statement that fails may hold the row or the value. */
async function tablesAreBroken({ scene, ask }: Stage): Promise<void> {
  for (const { owner, breaks, mends } of broken) {
    await scene[owner].pool.query(breaks);
    for (const name of names) await ask(name, "good");
    await scene[owner].pool.query(mends);
  }
}

const broken = [
  {
    owner: "inventory",
    breaks: "alter table items rename name to title",
    mends: "alter table items rename title to name",
  },
  {
    owner: "orders",
    breaks: "alter table orders add constraint broken check (false) not valid",
    mends: "alter table orders drop constraint broken",
  },
  {
    owner: "orders",
    breaks: "alter table orders alter lines type integer using 0",
    mends: "alter table orders alter lines type jsonb using '[]'",
  },
  { owner: "users", breaks: "alter table users rename to people", mends: "alter table people rename to users" },
] as const;

/** 504 where the gateway's time is over, 499 where the caller does not wait. */
async function answersAreLate({ scene, ask }: Stage): Promise<void> {
  await whileLocked(scene.inventory, "items", async () => {
    const caller = await openRaw(scene.shop.urls.inventory);
    caller.send("GET /products HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    await untilWaiting(scene.inventory, 1);
    await caller.finish(0);
    await ask("gateway", "good");
  });
}

async function peersAreAway({ scene: { shop }, ask, start, end }: Stage): Promise<void> {
  for (const [away, ...callers] of [
    ["inventory", "orders", "gateway"],
    ["orders", "gateway"],
    ["gateway", "frontend"],
  ] as const) {
    await end(away);
    for (const caller of callers) await ask(caller, "every");
    if (away === "inventory") await shop.settle();
    await start(away);
  }
}

/** A server that refuses a role names it. */
async function databasesAreAway({ scene, ask, start, end, secrets }: Stage): Promise<void> {
  const role = roleName(secrets);
  for (const [takes, gives] of [
    [`alter role ${role} nologin`, `alter role ${role} login`],
    [`alter role ${role} connection limit 0`, `alter role ${role} connection limit -1`],
  ] as const) {
    for (const { pool } of databasesOf(scene)) {
      await pool.query(takes);
      await pool.query(endSessions, [secrets["user of the database"].value]);
    }
    for (const name of names) await ask(name, "good");
    for (const { pool } of databasesOf(scene)) await pool.query(gives);
  }
  const bad = encodeURIComponent(secrets["value of a bad variable"].value);
  for (const DATABASE_URL of [
    `postgres://${bad}:${bad}@127.0.0.1:1/users?application_name=${bad}`,
    `postgres://${bad}:${bad}@database.invalid/users?options=${bad}`,
    `postgres://u:${bad}@127.0.0.1:1/users?sslmode=${bad}`,
  ]) {
    await end("users");
    await start("users", { DATABASE_URL });
    await ask("users", "good");
  }
}

const endSessions = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1";

/** Each names every bad variable, and none of their values. */
async function functionsCannotStart({ fail, secrets }: Stage): Promise<(number | null)[]> {
  const bad = secrets["value of a bad variable"].value;
  const encoded = encodeURIComponent(bad);
  const everywhere = {
    PORT: bad,
    LOG_LEVEL: bad,
    OTEL_SDK_DISABLED: bad,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encoded}%0A`,
    OTEL_EXPORTER_OTLP_CERTIFICATE: bad,
    OTEL_RESOURCE_ATTRIBUTES: bad,
    OTEL_TRACES_SAMPLER: bad,
    OTEL_TRACES_SAMPLER_ARG: bad,
    OTEL_EXPORTER_OTLP_PROTOCOL: bad,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://u:${encoded}@collector:port`,
  };
  const urls = [
    bad,
    `u:${encoded}@host/path`,
    `ftp://u:${encoded}@host/path`,
    `http:u:${encoded}@host:port`,
    `postgres:u:${encoded}@host/database`,
    `postgres://u:1/${encoded}@host/database`,
    `postgres://u:${encoded}@host:port/database`,
  ];
  const codes: (number | null)[] = [await fail("gateway", everywhere)];
  for (const url of urls)
    codes.push(await fail("users", { DATABASE_URL: url }), await fail("frontend", { GATEWAY_URL: url }));
  return codes;
}
