import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type App, createApp } from "@shop/platform/app";
import { createDatabase, type Database } from "@shop/platform/database";
import {
  assertProblem,
  createWitness,
  freshDatabase,
  lockTable,
  testTelemetry,
  unreachableDatabase,
} from "@shop/platform/testing";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";

const { ask, assertDescribed } = createWitness();
let scratch: Awaited<ReturnType<typeof freshDatabase>>;
let database: Database;
let app: App;

function openApp(database: Database, { telemetry = testTelemetry(), timeoutMs = 10_000 } = {}): App {
  const info = { title: "users", description: "The users." };
  const service = createService({ store: createStore(database), metrics: telemetry.metrics });
  return addRoutes(createApp({ telemetry, info, timeoutMs }), { service });
}

describe("users' API", () => {
  before(async () => {
    scratch = await freshDatabase("users");
    database = createDatabase({ url: scratch.url, log: testTelemetry().log });
    app = openApp(database);
  });
  after(async () => {
    await database.close();
    await scratch.drop();
  });

  it("lists everybody, by id", async () => {
    await database.pool.query("insert into users (id, name) values (40, 'Zoë'), (30, 'Yusuf')");
    const reply = await ask(app, "/users");
    assert.equal(reply.status, 200);
    assert.deepEqual(await reply.json(), [
      { id: 1, name: "Alice" },
      { id: 2, name: "Bob" },
      { id: 30, name: "Yusuf" },
      { id: 40, name: "Zoë" },
    ]);
  });

  it("users_registered is how many there were when they were last listed", async () => {
    const telemetry = testTelemetry();
    const app = openApp(database, { telemetry });
    const registered = () => telemetry.value("users_registered");
    const { length } = (await (await ask(app, "/users")).json()) as unknown[];
    assert.equal(await registered(), length);
    await database.pool.query("insert into users (id, name) values (50, 'Xenia')");
    await ask(app, "/users/50");
    assert.equal(await registered(), length);
    await ask(app, "/users");
    assert.equal(await registered(), length + 1);
  });

  it("shows one, and answers 404 for nobody", async () => {
    const reply = await ask(app, "/users/2");
    assert.equal(reply.status, 200);
    assert.deepEqual(await reply.json(), { id: 2, name: "Bob" });
    const { detail } = await assertProblem(await ask(app, "/users/999999999"), "not_found");
    assert.equal(detail, "there is no such user");
  });

  it("an id that is none is invalid", async () => {
    for (const id of ["0", "-1", "1.5", "01", "alice", "9999999999", "1%20or%201=1"]) {
      const { detail } = await assertProblem(await ask(app, `/users/${id}`), "invalid");
      assert.equal(detail, "id should be an integer above 0");
    }
  });

  it("without its database every route is unavailable, and says when to come back", async () => {
    const away = openApp(unreachableDatabase());
    for (const path of ["/users", "/users/1"]) {
      const reply = await ask(away, path);
      assert.equal(reply.headers.get("Retry-After"), "1");
      await assertProblem(reply, "unavailable");
    }
  });

  it("a database too slow for the deadline is given up", async () => {
    const hasty = openApp(database, { timeoutMs: 100 });
    const lock = await lockTable(database, "users");
    try {
      for (const path of ["/users", "/users/1"]) await assertProblem(await ask(hasty, path), "deadline_exceeded");
    } finally {
      await lock.release();
    }
  });

  it("describes every answer that these tests have seen, and no other", () => assertDescribed(app));
});
