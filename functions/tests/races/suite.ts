import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { replayedHeader } from "@shop/orders/contract";
import { eventually } from "@shop/platform/testing";
import type { Ledger } from "../invariant.ts";
import { type Counter, openCounter } from "./counter.ts";
import { barrier, readThenWrite, selectThenInsert, takeThenRecord, unsortedLocks } from "./planted.ts";

type Scale = { snapshotsMin: number; keys: number; multiLineOrders: number };

const timeout = 280_000;
const buyers = 200;
const units = 50;
const callsOfOneKey = 50;
const workers = 20;

/** The races of the shop, each on the shop as it is, then on a planted bug that the same check must find. */
export function describeRaces({ snapshotsMin, keys, multiLineOrders }: Scale): void {
  describe(`${buyers} buyers at once for ${units} units`, () => {
    const soldOut = { sold: units, refused: buyers - units, left: 0, breaches: [] };

    it(`sell exactly ${units}, and the invariant holds at each of ${snapshotsMin} moments meanwhile`, { timeout }, () =>
      withCounter(openCounter(), async (counter) => {
        const seen = await watching(counter.ledger, async (watch) => {
          do assert.deepEqual(await sellOut(counter), soldOut);
          while (watch.snapshots < snapshotsMin);
        });
        assert.deepEqual(seen, []);
        assert.deepEqual(await counter.ledger.breaches({ settled: true }), []);
      }),
    );

    it("goes red when the stock is read and then written", { timeout }, () =>
      withCounter(openCounter({ inventoryStore: readThenWrite(barrier(2)) }), async (counter) => {
        const outcome = await sellOut(counter);
        assert.notDeepEqual(outcome, soldOut);
        assert.match(outcome.breaches.join(), /initial 50 is not available \d+ \+ granted \d+/);
      }),
    );

    it("goes red when the stock is taken before it is recorded, though all adds up in the end", {
      timeout,
    }, async () => {
      const watch = { snapshots: 0 };
      const snapshot = async () => {
        const enough = watch.snapshots + 2; // the one that runs now may have begun too early
        await eventually("a whole snapshot in between", () => watch.snapshots >= enough);
      };
      await withCounter(openCounter({ inventoryStore: takeThenRecord(snapshot) }), async (counter) => {
        const item = await counter.inventory.addItem();
        const seen = await watching(counter.ledger, () => counter.buy({ item, quantity: 1 }), watch);
        assert.deepEqual(seen, [`${item}: initial 10 is not available 9 + granted 0`]);
        assert.deepEqual(await counter.ledger.breaches({ settled: true }), []);
      });
    });
  });

  describe(`one key sent ${callsOfOneKey} times at once`, () => {
    const oneOrder = { statuses: [201], bodies: 1, notReplayed: 1, orders: 1, unitsTaken: 2 };

    it("makes one order and equal answers", { timeout }, () =>
      withCounter(openCounter(), async (counter) => {
        for (let n = 0; n < keys; n++) assert.deepEqual(await sendOneKey(counter), oneOrder);
      }),
    );

    it("goes red when the key is looked up and then inserted", { timeout }, () =>
      withCounter(openCounter({ ordersStore: selectThenInsert(barrier(2)) }), async (counter) => {
        await counter.orders.database.pool.query("alter table orders drop constraint orders_key_key");
        const outcome = await sendOneKey(counter);
        assert.notDeepEqual(outcome, oneOrder);
        assert.ok(outcome.orders >= 2 && outcome.bodies >= 2 && outcome.unitsTaken >= 4);
      }),
    );
  });

  describe(`${multiLineOrders} orders of many lines by ${workers} workers`, () => {
    const allConfirmed = { confirmed: multiLineOrders, deadlocks: 0, breaches: [] };

    it("meet no deadlock", { timeout }, () =>
      withCounter(openCounter(), async (counter) => {
        assert.deepEqual(await crossLines(counter, multiLineOrders), allConfirmed);
      }),
    );

    it("go red when the items are locked in no common order", { timeout }, () =>
      withCounter(openCounter({ inventoryStore: unsortedLocks(barrier(2)) }), async (counter) => {
        const outcome = await crossLines(counter, multiLineOrders);
        assert.notDeepEqual(outcome, allConfirmed);
        assert.ok(outcome.deadlocks >= 1);
      }),
    );
  });
}

async function withCounter(opening: Promise<Counter>, work: (counter: Counter) => Promise<void>): Promise<void> {
  const counter = await opening;
  try {
    await work(counter);
  } finally {
    await counter.close();
  }
}

/** Takes one snapshot of the invariant after the other while the work runs; every breach that one of them saw. */
async function watching(
  ledger: Ledger,
  work: (watch: { snapshots: number }) => Promise<unknown>,
  watch = { snapshots: 0 },
): Promise<string[]> {
  const seen = new Set<string>();
  let done = false;
  const loop = async () => {
    while (!done) {
      for (const breach of await ledger.breaches()) seen.add(breach);
      watch.snapshots++;
    }
  };
  const finished = work(watch).finally(() => {
    done = true;
  });
  await Promise.all([finished, loop()]);
  return [...seen];
}

async function sellOut(counter: Counter) {
  const item = await counter.inventory.addItem({ stock: units });
  const replies = await Promise.all(Array.from({ length: buyers }, () => counter.buy({ item, quantity: 1 })));
  const count = (status: number) => replies.filter((reply) => reply.status === status).length;
  return {
    sold: count(201),
    refused: count(409),
    left: await counter.inventory.available(item),
    breaches: await counter.ledger.breaches({ settled: true }),
  };
}

async function sendOneKey(counter: Counter) {
  const stock = 1000;
  const item = await counter.inventory.addItem({ stock });
  const key = crypto.randomUUID();
  const replies = await Promise.all(
    Array.from({ length: callsOfOneKey }, () => counter.place({ item, quantity: 2 }, key)),
  );
  const { rowCount } = await counter.orders.database.pool.query("select from orders where key = $1", [key]);
  return {
    statuses: [...new Set(replies.map(({ status }) => status))],
    bodies: new Set(await Promise.all(replies.map((reply) => reply.text()))).size,
    notReplayed: replies.filter(({ headers }) => !headers.has(replayedHeader)).length,
    orders: rowCount ?? 0,
    unitsTaken: stock - (await counter.inventory.available(item)),
  };
}

/** Orders of the same items, each in another order of lines, until all are placed or two have met in a deadlock. */
async function crossLines(counter: Counter, orders: number) {
  const items = await Promise.all(Array.from({ length: 6 }, () => counter.inventory.addItem({ stock: orders })));
  const deadlocks = () => counter.inventory.telemetry.lines.filter(isDeadlock).length;
  let confirmed = 0;
  let next = 0;
  const work = async () => {
    for (let n = next++; n < orders && deadlocks() === 0; n = next++) {
      const turned = items.map((_, index) => items[(index + n) % items.length] as string);
      const lines = (n % 2 === 0 ? turned : turned.toReversed()).map((item) => ({ item, quantity: 1 }));
      if ((await counter.buy({ lines })).status === 201) confirmed++;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { confirmed, deadlocks: deadlocks(), breaches: await counter.ledger.breaches({ settled: true }) };
}

const isDeadlock = ({ err }: Record<string, unknown>) => (err as { code?: string } | undefined)?.code === "40P01";
