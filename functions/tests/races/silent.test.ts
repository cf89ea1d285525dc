import assert from "node:assert/strict";
import { it } from "node:test";
import { createDatabase, openSession } from "@shop/platform/database";
import { captureLog, freshDatabase } from "@shop/platform/testing";
import { openTcpProxy } from "../tcp-proxy.ts";

it("a database that falls silent holds no maintenance job for ever", async () => {
  const { url, drop } = await freshDatabase("orders");
  const proxy = await openTcpProxy(url);
  const database = createDatabase({ url: proxy.url, log: captureLog().log });
  const session = await openSession(database);
  proxy.swallow();
  const startMs = performance.now();
  await assert.rejects(session.query("select 1"), /timeout/);
  assert.ok(performance.now() - startMs < 13_000);
  session.release(true);
  await proxy.close();
  await database.close();
  await drop();
});
