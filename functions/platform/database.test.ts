import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { type Postgres, startPostgres } from "@shop/dev/postgres";
import { createDatabase, type Database, type Transaction, transaction } from "./database.ts";
import type { Logger } from "./log.ts";
import { Problem } from "./problem.ts";
import { aborted, captureLog, eventually, testCall, testTelemetry } from "./testing.ts";

let dataDir: string;
let server: Postgres;
let admin: Database;

const start = (port = 0) => startPostgres({ dataDir, port, durable: false });

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "shop-postgres-"));
  server = await start();
  admin = createDatabase({ url: server.url, log: captureLog().log });
  await admin.pool.query("create table things (id bigint primary key)");
});

after(async () => {
  await admin.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function open({
  url = server.url,
  log = captureLog().log,
  connectionsMax = 2,
}: {
  url?: string;
  log?: Logger;
  connectionsMax?: number;
} = {}) {
  const database = createDatabase({ url, log, connectionsMax });
  return { ...database, [Symbol.asyncDispose]: database.close };
}

const sql = async (text: string) => (await admin.pool.query(text)).rows;
const ids = async () => (await sql("select id from things order by id")).map(({ id }) => id);
const insert = (database: Database, id: number) =>
  transaction(database, testCall(), (tx) => tx.query("insert into things values ($1)", [id]));

/** What is not back in the pool once everybody has gone home. */
const kept = ({ pool }: Database) => pool.totalCount - pool.idleCount + pool.waitingCount;

async function rejection(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => assert.fail("it was done"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof Error);
  return error;
}

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error = await rejection(work);
  assert.ok(error instanceof Problem, `${error.stack}`);
  return error;
}

async function assertUnavailable(work: Promise<unknown>): Promise<void> {
  const { code, headers } = await problemOf(work);
  assert.equal(code, "unavailable");
  assert.deepEqual(headers, { "Retry-After": "1" });
}

describe("a transaction", () => {
  it("is committed when its work is done, and gives what the work gives", async () => {
    await using database = open();
    const given = await transaction(database, testCall(), async (tx) => {
      await tx.query("insert into things values (1), (2)");
      assert.deepEqual(await ids(), []);
      return "done";
    });
    assert.equal(given, "done");
    assert.deepEqual(await ids(), [1, 2]);
    await sql("delete from things");
  });

  it("is rolled back when its work throws, and the caller sees what was thrown", async () => {
    await using database = open();
    for (const thrown of [new TypeError("no"), new Problem("out_of_stock", "no")]) {
      const work = transaction(database, testCall(), async (tx) => {
        await tx.query("insert into things values (1)");
        throw thrown;
      });
      assert.equal(await rejection(work), thrown);
    }
    assert.deepEqual(await ids(), []);
    assert.equal(kept(database), 0);
  });

  it("is rolled back when a statement fails, and leaves a connection that works", async () => {
    await using database = open({ connectionsMax: 1 });
    const work = transaction(database, testCall(), async (tx) => {
      await tx.query("insert into things values (1)");
      await tx.query("insert into things values (1)");
    });
    const error = await rejection(work);
    const { log, text } = captureLog();
    log.error({ err: error });
    assert.match(text(), /duplicate key/);
    assert.doesNotMatch(text(), /Key \(id\)/, "the values are in its detail, which is not logged");
    assert.deepEqual(await ids(), []);
    await insert(database, 3);
    assert.equal(database.pool.totalCount, 1);
    await sql("delete from things");
  });

  it("reads a bigint as a number, and none that a number cannot hold", async () => {
    await using database = open({ connectionsMax: 1 });
    const read = (text: string) => transaction(database, testCall(), async (tx) => (await tx.query(text)).rows[0]);
    assert.deepEqual(await read("select 9007199254740991 as most, count(*), sum(1) from things"), {
      most: Number.MAX_SAFE_INTEGER,
      count: 0,
      sum: null,
    });
    assert.deepEqual(await read("select null::bigint as none"), { none: null });
    assert.match((await rejection(read("select 9007199254740992 as more"))).message, /beyond 2\^53/);
    assert.deepEqual(await read("select -1::bigint as next"), { next: -1 });
  });
});

describe("the spans of a transaction", () => {
  /** Runs a transaction to its end, well or not, and gives what it has told. */
  async function trace(database: Database, work: (tx: Transaction) => Promise<unknown>, timeoutMs = 10_000) {
    const telemetry = testTelemetry();
    const call = testCall({ telemetry, timeoutMs });
    await transaction(database, call, work).catch(() => {});
    await telemetry.close();
    for (const { kind, parentSpanContext, attributes } of telemetry.spans) {
      assert.equal(kind, SpanKind.CLIENT);
      assert.equal(parentSpanContext?.spanId, call.trace.spanId);
      assert.equal(attributes["db.system.name"], "postgresql");
    }
    return telemetry.spans;
  }
  const names = (spans: ReadableSpan[]) => spans.map(({ name }) => name);
  const errors = (spans: ReadableSpan[]) =>
    spans
      .filter(({ status }) => status.code === SpanStatusCode.ERROR)
      .map(({ name, attributes }) => `${name} ${attributes["error.type"]}`);

  it("are one for each statement, below the call, and one for a connection that has to be made", async () => {
    await using database = open();
    const work = async (tx: Transaction) => {
      await tx.query("insert into things values (1)");
      await tx.query("select id\n from things where id = $1", [1]);
      await tx.query("  update things set id = 2");
      await tx.query("savepoint here");
      await tx.query("delete from things");
    };
    const statements = [
      "BEGIN",
      "INSERT things",
      "SELECT things",
      "UPDATE things",
      "SAVEPOINT",
      "DELETE things",
      "COMMIT",
    ];
    assert.deepEqual(names(await trace(database, work)), ["connect", ...statements]);
    assert.deepEqual(names(await trace(database, work)), statements);
  });

  it("say what was asked of whom, and none of the data", async () => {
    const url = new URL(server.url);
    url.password = "planted-password";
    url.searchParams.set("application_name", "planted-name");
    await using database = open({ url: url.href });
    const spans = await trace(database, async (tx) => {
      await tx.query("select id from things where id::text = $1", ["planted-value"]);
      await tx.query("select id from things where id = $1", ["planted-misfit"]);
    });
    const [, , select] = spans;
    assert.deepEqual(select?.attributes, {
      "db.system.name": "postgresql",
      "db.namespace": url.pathname.slice(1),
      "server.address": url.hostname,
      "server.port": Number(url.port),
      "db.operation.name": "SELECT",
      "db.query.summary": "SELECT things",
      "db.query.text": "select id from things where id::text = $1",
    });
    assert.deepEqual(errors(spans), ["SELECT things 22P02"]);
    const told = spans.map(({ name, attributes, events, status }) => [name, attributes, events, status]);
    assert.doesNotMatch(JSON.stringify(told), /planted/);
  });

  it("are marked where a statement fails, by its SQLSTATE, and only there", async () => {
    await using database = open();
    const failing = {
      "insert into things values (1), (1)": "INSERT things 23505",
      "select * from nothing": "SELECT nothing 42P01",
      "select 1/0 from generate_series(1, 1)": "SELECT generate_series 22012",
      "no SQL": "NO 42601",
    };
    for (const [text, error] of Object.entries(failing)) {
      const spans = await trace(database, async (tx) => {
        await tx.query("select 1");
        await tx.query(text);
      });
      assert.deepEqual(errors(spans), [error]);
      assert.ok(!names(spans).includes("COMMIT"));
    }
  });

  it("say what the server answered where it refuses a statement, and nothing of it elsewhere", async () => {
    await using database = open();
    const spans = await trace(database, async (tx) => {
      await tx.query("select 1");
      await tx.query("select * from nothing");
    });
    const answered = spans.map(({ name, attributes }) => [name, attributes["db.response.status_code"]]);
    assert.deepEqual(answered.slice(-3), [
      ["BEGIN", undefined],
      ["SELECT", undefined],
      ["SELECT nothing", "42P01"],
    ]);
  });

  it("hold no number of the call's own in the text of BEGIN", async () => {
    await using database = open();
    const spans = await trace(database, (tx) => tx.query("select 1"));
    const begin = spans.find(({ name }) => name === "BEGIN")?.attributes["db.query.text"];
    assert.match(`${begin}`, /^begin;\s+set local statement_timeout = \?;/);
    assert.doesNotMatch(`${begin}`, /\d/);
  });

  it("are marked where the work goes on after a failure, and the rest is not", async () => {
    await using database = open();
    const spans = await trace(database, async (tx) => {
      await tx.query("savepoint here");
      await tx.query("select 1/0").catch(() => tx.query("rollback to savepoint here"));
      await tx.query("select 1");
    });
    assert.deepEqual(errors(spans), ["SELECT 22012"]);
    assert.equal(names(spans).at(-1), "COMMIT");
  });

  it("end with a statement that the deadline ends, and are marked so", async () => {
    await using database = open();
    const spans = await trace(database, (tx) => tx.query("select pg_sleep(60)"), 200);
    assert.equal(errors(spans).length, 1);
    assert.match(errors(spans)[0] ?? "", /^SELECT /);
  });

  it("say so when the database is away", async () => {
    await using database = open({ url: "postgres://planted:planted@127.0.0.1:1/nowhere" });
    const spans = await trace(database, () => assert.fail("begun"));
    assert.deepEqual(errors(spans), ["connect unavailable"]);
    const { "server.address": host, "server.port": port, "db.namespace": name } = spans[0]?.attributes ?? {};
    assert.deepEqual([host, port, name], ["127.0.0.1", 1, "nowhere"]);
    assert.doesNotMatch(JSON.stringify(spans.map(({ attributes, events }) => [attributes, events])), /planted/);
  });

  it("are none when the call's is not kept, and the work is done all the same", async () => {
    await using database = open();
    const telemetry = testTelemetry({ env: { OTEL_TRACES_SAMPLER: "always_off" } });
    const done = await transaction(
      database,
      testCall({ telemetry }),
      async (tx) => (await tx.query("select 1")).rowCount,
    );
    await telemetry.close();
    assert.equal(done, 1);
    assert.deepEqual(telemetry.spans, []);
  });
});

describe("the deadline of a transaction", () => {
  it("ends slow SQL, which leaves no row and no statement running", async () => {
    await using database = open();
    const call = testCall({ timeoutMs: 300 });
    const work = transaction(database, call, async (tx) => {
      await tx.query("insert into things values (1)");
      await tx.query("select 'slow', pg_sleep(60)");
    });
    assert.equal((await problemOf(work)).code, "deadline_exceeded");
    assert.ok(Date.now() - call.deadlineMs < 500);
    await eventually("the statement has ended", async () => {
      const running = await sql(
        "select from pg_stat_activity where query like '%''slow''%' and pid <> pg_backend_pid() and state = 'active'",
      );
      return running.length === 0;
    });
    assert.deepEqual(await ids(), []);
    assert.equal(kept(database), 0);
  });

  it("holds on the server too, when nobody is left to end it", async () => {
    await using database = open();
    for (const text of ["select pg_sleep(60)", "insert into things values (1)"]) {
      const call = { ...testCall({ timeoutMs: 200 }), signal: new AbortController().signal };
      const work = transaction(database, call, async (tx) => {
        await tx.query(text);
        await eventually("the transaction has ended", () => tx.query("select 1").then(() => false));
      });
      assert.equal((await problemOf(work)).code, "deadline_exceeded");
    }
    assert.deepEqual(await ids(), []);
  });

  it("ends slow code at its next statement, and there is no commit after it", async () => {
    await using database = open();
    const slow = testCall({ timeoutMs: 100 });
    const working = transaction(database, slow, async (tx) => {
      await tx.query("insert into things values (1)");
      await aborted(slow.signal);
      await tx.query("insert into things values (2)");
    });
    assert.equal((await problemOf(working)).code, "deadline_exceeded");

    const late = testCall({ timeoutMs: 100 });
    const returning = transaction(database, late, async (tx) => {
      await tx.query("insert into things values (1)");
      await aborted(late.signal);
    });
    assert.equal((await problemOf(returning)).code, "deadline_exceeded");
    assert.deepEqual(await ids(), []);
    assert.equal(kept(database), 0);
  });

  it("that has passed begins nothing", async () => {
    await using database = open();
    const call = { ...testCall({ timeoutMs: -1 }), signal: AbortSignal.abort() };
    const work = transaction(database, call, () => assert.fail("begun"));
    assert.equal((await problemOf(work)).code, "deadline_exceeded");
    await eventually("nothing is kept", () => kept(database) === 0);
  });
});

describe("a caller who goes away", () => {
  it("while a statement waits for a lock leaves no row, and within a second no lock", async () => {
    await using database = open();
    await using other = open({ connectionsMax: 1 });
    const blocker = await admin.pool.connect();
    await blocker.query("begin; select pg_advisory_xact_lock(2)");

    const caller = new AbortController();
    const work = transaction(database, { ...testCall(), signal: caller.signal }, async (tx) => {
      await tx.query("insert into things values (1)");
      await tx.query("select pg_advisory_xact_lock(1)");
      await tx.query("select pg_advisory_xact_lock(2)");
    });
    work.catch(() => {});
    await eventually(
      "the statement waits",
      async () => (await sql("select from pg_locks where not granted")).length > 0,
    );
    caller.abort();

    await problemOf(work);
    await transaction(other, testCall({ timeoutMs: 1_000 }), (tx) => tx.query("select pg_advisory_xact_lock(1)"));
    assert.deepEqual(await sql("select from pg_locks where not granted"), []);
    assert.deepEqual(await ids(), []);
    assert.equal(kept(database), 0);
    await blocker.query("rollback");
    blocker.release();
  });

  it("while waiting for a connection leaves none behind", async () => {
    await using database = open({ connectionsMax: 1 });
    const release = Promise.withResolvers<void>();
    const holder = transaction(database, testCall(), () => release.promise);
    await eventually("the connection is taken", () => database.pool.totalCount === 1 && database.pool.idleCount === 0);
    const caller = new AbortController();
    const waiting = transaction(database, { ...testCall(), signal: caller.signal }, async () => assert.fail("begun"));
    caller.abort();
    await problemOf(waiting);
    release.resolve();
    await holder;
    await insert(database, 1);
    await sql("delete from things");
    assert.equal(kept(database), 0);
  });
});

describe("a pool", () => {
  it("that is exhausted is unavailable, and serves again when there is a connection", async () => {
    await using database = open({ connectionsMax: 1 });
    const release = Promise.withResolvers<void>();
    const holder = transaction(database, testCall(), () => release.promise);
    await assertUnavailable(insert(database, 1));
    release.resolve();
    await holder;
    await insert(database, 1);
    await sql("delete from things");
  });

  it("has all its connections after more failures of every kind than it is large", async () => {
    await using database = open({ connectionsMax: 2 });
    for (let round = 0; round < 5; round++) {
      const call = testCall({ timeoutMs: 30 });
      await Promise.allSettled([
        transaction(database, call, (tx) => tx.query("select pg_sleep(60)")),
        transaction(database, call, (tx) => tx.query("no SQL")),
        transaction(database, call, () => aborted(call.signal)),
        transaction(database, call, async (tx) => {
          await tx.query("select pg_terminate_backend(pg_backend_pid())");
        }),
        transaction(database, { ...call, signal: AbortSignal.abort() }, async () => {}),
      ]);
    }
    await eventually("all are back", () => kept(database) === 0);
    await Promise.all([insert(database, 1), insert(database, 2), insert(database, 3)]);
    await sql("delete from things");
  });

  it("is empty once it is closed", async () => {
    const database = open();
    await insert(database, 1);
    await database.close();
    assert.equal(database.pool.totalCount, 0);
    await sql("delete from things");
  });
});

describe("a server that is away", () => {
  it("that ends a connection in the middle of a transaction is unavailable, and the next one works", async () => {
    const { log, text } = captureLog();
    await using database = open({ log });
    const work = transaction(database, testCall(), async (tx) => {
      const { rows } = await tx.query("select pg_backend_pid() as pid");
      await tx.query("insert into things values (1)");
      await sql(`select pg_terminate_backend(${rows[0].pid}, 5000)`);
      await tx.query("insert into things values (2)");
    });
    await assertUnavailable(work);
    assert.deepEqual(await ids(), []);
    await insert(database, 3);
    await sql("delete from things");
    assert.doesNotMatch(text(), /"level":"(error|fatal)"/);
  });

  it("that ends an idle connection is a warning in the log, and the next transaction works", async () => {
    const { log, lines } = captureLog();
    await using database = open({ log });
    const pid = await transaction(
      database,
      testCall(),
      async (tx) => (await tx.query("select pg_backend_pid() as pid")).rows[0].pid,
    );
    await sql(`select pg_terminate_backend(${pid}, 5000)`);
    await eventually("it is noticed", () => lines.length > 0);
    assert.equal(lines[0]?.level, "warn");
    assert.equal(lines[0]?.msg, "database connection lost");
    await insert(database, 1);
    await sql("delete from things");
  });

  it("that has too many connections is unavailable", async () => {
    await sql("create role crowded login connection limit 0");
    const url = new URL(server.url);
    url.username = "crowded";
    await using database = open({ url: url.href });
    await assertUnavailable(transaction(database, testCall(), async () => {}));
  });

  it("that is down is unavailable, tells nothing of its URL, and works again by itself", async () => {
    const { port } = server;
    const url = new URL(server.url);
    url.password = "planted-password";
    const { log, text } = captureLog();
    await using database = open({ url: url.href, log });
    await insert(database, 1);

    await server.stop();
    const error = await problemOf(insert(database, 2));
    assert.equal(error.code, "unavailable");
    log.error({ err: error });
    assert.doesNotMatch(`${error.message} ${text()}`, /planted|127\.0\.0\.1:\d+\/postgres/);

    server = await start(port);
    await insert(database, 3);
    assert.deepEqual(await ids(), [1, 3]);
    await sql("delete from things");
  });

  it("that is frozen is answered for by the deadline: idle connection, statement in flight, new connection", async () => {
    await using database = open({ connectionsMax: 3 });
    const inFlight = testCall({ timeoutMs: 600 });
    const begun = Promise.withResolvers<void>();
    const statement = transaction(database, inFlight, async (tx) => {
      await tx.query("insert into things values (1)");
      begun.resolve();
      await tx.query("select pg_sleep(60)");
    });
    statement.catch(() => {});
    await begun.promise;
    await insert(database, 2);

    const postmaster = Number((await readFile(join(dataDir, "postmaster.pid"), "utf8")).split("\n")[0]);
    const backends = await sql("select pid from pg_stat_activity where backend_type = 'client backend'");
    const pids = [postmaster, ...backends.map(({ pid }) => pid as number)];
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
      const call = testCall({ timeoutMs: 600 });
      const idle = transaction(database, call, (tx) => tx.query("insert into things values (3)"));
      const fresh = transaction(database, call, (tx) => tx.query("insert into things values (4)"));
      const problems = await Promise.all([statement, idle, fresh].map(problemOf));
      assert.deepEqual(new Set(problems.map(({ code }) => code)), new Set(["deadline_exceeded"]));
      assert.ok(Date.now() - call.deadlineMs < 500, `${Date.now() - call.deadlineMs} ms late`);
    } finally {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    }
    await insert(database, 5);
    await eventually("nothing is kept", () => kept(database) === 0);
    assert.deepEqual(await ids(), [2, 5]);
    await sql("delete from things");
  });
});
