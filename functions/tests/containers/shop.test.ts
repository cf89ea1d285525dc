import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createDatabase } from "@shop/platform/database";
import { captureLog, eventually } from "@shop/platform/testing";
import { openLedger } from "../invariant.ts";
import { untilWaiting, whileLocked } from "../lock.ts";
import type { FunctionName } from "../shop.ts";
import { counts, describes, sells } from "../smoke.ts";
import { engine } from "./container.ts";
import { openStage, type Stage } from "./stage.ts";

const owners = ["inventory", "orders", "users"];
const seeded = ["inventory", "users"];
const exitMaxMs = 3_000; // 1.5 s of the function's own, and the engine's word for it

type Ended = Awaited<ReturnType<Stage["command"]>>;
const said = ({ code, lines }: Ended) => [code, ...lines.map((line) => JSON.parse(line).msg as string)];

describe("the shop in containers", () => {
  let stage: Stage;
  /** A function's container in the engine's own terms, and how it will have ended. */
  async function running(name: FunctionName) {
    const container = (await engine()).getContainer(stage.containers.get(name)?.getId() ?? "");
    return { container, ended: container.wait() as Promise<{ StatusCode: number }> };
  }
  const migrated = new Map<string, Ended>();

  before(async () => {
    stage = await openStage(async ({ command }) => {
      for (const name of seeded) assert.deepEqual(said(await command(name, "seed")), [0, "seeded"]);
      for (const name of owners) migrated.set(name, await command(name, "migrate"));
    });
  });
  after(() => stage?.close());

  it("migrates where nothing was seeded, which does it too, and again changes nothing", async () => {
    for (const [name, first] of migrated) {
      assert.match(said(first).join(), seeded.includes(name) ? /^0,up to date$/ : /^0,applied 001_[\w-]+$/, name);
      assert.deepEqual(said(await stage.command(name, "migrate")), [0, "up to date"], name);
    }
  });

  it("sells from the page to the stock, describes itself and counts", async () => {
    await sells(stage);
    await describes(stage);
    await counts(stage);
  });

  it("settles", async () => {
    assert.deepEqual(said(await stage.command("orders", "settle")), [0]);
    const { orders, inventory } = stage.databaseUrls;
    const ledger = openLedger({ orders: { url: orders }, inventory: { url: inventory } });
    assert.deepEqual(await ledger.breaches({ settled: true }), []);
    await ledger.close();
  });

  it("finishes a reply under way at SIGTERM, and exits 0", async () => {
    const database = createDatabase({ url: stage.databaseUrls.users, log: captureLog().log });
    const { container, ended } = await running("users");
    const { asked } = await whileLocked(database, "users", async () => {
      const asked = fetch(`${stage.urls.users}/users`);
      await untilWaiting(database, 1);
      await container.kill({ signal: "SIGTERM" });
      await eventually("users takes no more", () => refuses(stage.urls.users));
      return { asked };
    });
    const reply = await asked;
    assert.equal(reply.status, 200);
    assert.equal(((await reply.json()) as unknown[]).length, 2);
    const repliedMs = performance.now();
    assert.equal((await ended).StatusCode, 0);
    assert.ok(performance.now() - repliedMs < exitMaxMs);
    await database.close();
  });

  it("exits 0 at SIGTERM, each of the others too", async () => {
    for (const name of stage.containers.keys()) {
      if (name === "users") continue; // has ended
      const { container, ended } = await running(name);
      const toldMs = performance.now();
      await container.kill({ signal: "SIGTERM" });
      assert.equal((await ended).StatusCode, 0, name);
      assert.ok(performance.now() - toldMs < exitMaxMs, name);
    }
  });
});

const refuses = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    () => false,
    () => true,
  );
