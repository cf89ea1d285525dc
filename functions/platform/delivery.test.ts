import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BasicTracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { createDelivery, type Exporter, type Outcome } from "./delivery.ts";
import { eventually } from "./testing.ts";

type Batch = { spans: ReadableSpan[]; succeed(rejected?: number): void; fail(): void };
type Options = {
  queueMax?: number;
  batchMax?: number;
  exportTimeoutMs?: number;
  /** What the exporter does with a batch; without it the batch waits in `batches`. */
  onBatch?: (batch: Batch) => void;
};

/** A delivery to an exporter in the test's hands, and its account. */
function openDelivery({ queueMax = 100, batchMax = 10, exportTimeoutMs = 60_000, onBatch }: Options = {}) {
  const account: Record<Outcome, number> = { exported: 0, queue_full: 0, export_failed: 0, shutdown: 0 };
  const batches: Batch[] = [];
  const exporter: Exporter = {
    export(spans, done) {
      const batch: Batch = {
        spans,
        succeed: (rejected = 0) => done({ code: 0, rejected }),
        fail: () => done({ code: 1, error: new Error("no") }),
      };
      batches.push(batch);
      onBatch?.(batch);
    },
    shutdown: async () => {},
  };
  const count = (outcome: Outcome, spans: number) => {
    assert.ok(spans > 0);
    account[outcome] += spans;
  };
  const delivery = createDelivery({ exporter, count, queueMax, batchMax, delayMs: 1, exportTimeoutMs });
  const tracer = new BasicTracerProvider({ spanProcessors: [delivery] }).getTracer("test");
  let ended = 0;
  return {
    delivery,
    account,
    batches,
    end(spans: number) {
      for (let i = 0; i < spans; i++) tracer.startSpan("test").end();
      ended += spans;
    },
    /** How many spans have ended and have no outcome yet. */
    pending: () => ended - Object.values(account).reduce((sum, spans) => sum + spans),
    batch: (index: number) => eventually(`batch ${index}`, () => batches[index]),
    settled: () =>
      eventually(
        "every span has its outcome",
        () => ended === Object.values(account).reduce((sum, spans) => sum + spans),
      ),
  };
}

const none = { exported: 0, queue_full: 0, export_failed: 0, shutdown: 0 };

describe("createDelivery", () => {
  it("counts a span as exported once its batch is acknowledged, not before", async () => {
    const { account, end, batch } = openDelivery();
    end(3);
    const { spans, succeed } = await batch(0);
    assert.equal(spans.length, 3);
    assert.deepEqual(account, none);
    succeed();
    assert.deepEqual(account, { ...none, exported: 3 });
  });

  it("counts a batch that is refused as failed, and goes on with the next", async () => {
    const { account, end, settled, batch } = openDelivery();
    end(3);
    (await batch(0)).fail();
    end(2);
    (await batch(1)).succeed();
    await settled();
    assert.deepEqual(account, { ...none, export_failed: 3, exported: 2 });
  });

  it("counts what was rejected of a batch as failed, never more than it held nor less than nothing", async () => {
    const { account, end, settled, batch } = openDelivery();
    const rejections = [1, 3, 4, -1];
    for (const [index, rejected] of rejections.entries()) {
      end(3);
      (await batch(index)).succeed(rejected);
      await settled();
    }
    assert.deepEqual(account, { ...none, exported: 2 + 0 + 0 + 3, export_failed: 1 + 3 + 3 + 0 });
  });

  it("counts a batch whose exporter never calls back as failed after its time, and goes on", async () => {
    const { account, end, settled, batch } = openDelivery({ exportTimeoutMs: 10 });
    end(3);
    await settled();
    assert.deepEqual(account, { ...none, export_failed: 3 });
    end(1);
    (await batch(1)).succeed();
    await settled();
    assert.deepEqual(account, { ...none, export_failed: 3, exported: 1 });
  });

  it("counts a batch whose exporter throws as failed, and goes on", async () => {
    const onBatch = ({ spans, succeed }: Batch) => {
      if (spans.length === 3) throw new Error("cannot serialise");
      succeed();
    };
    const { account, end, settled } = openDelivery({ exportTimeoutMs: 10, onBatch });
    end(3);
    await settled();
    end(1);
    await settled();
    assert.deepEqual(account, { ...none, export_failed: 3, exported: 1 });
  });

  it("does not count a batch again whose exporter calls back too late", async () => {
    const { account, end, settled, batch } = openDelivery({ exportTimeoutMs: 10 });
    end(3);
    await settled();
    end(2);
    (await batch(0)).succeed();
    (await batch(1)).succeed();
    await settled();
    assert.deepEqual(account, { ...none, export_failed: 3, exported: 2 });
  });

  for (const [first, second, outcome] of [
    ["succeed", "fail", "exported"],
    ["fail", "succeed", "export_failed"],
    ["succeed", "succeed", "exported"],
  ] as const) {
    it(`counts a batch once whose exporter calls back twice: ${first}, ${second}`, async () => {
      const { account, end, batch, delivery } = openDelivery({ batchMax: 3 });
      end(6);
      const one = await batch(0);
      one[first]();
      one[second]();
      assert.deepEqual(account, { ...none, [outcome]: 3 });
      (await batch(1)).fail();
      delivery.giveUp();
      assert.equal(
        Object.values(account).reduce((sum, spans) => sum + spans),
        6,
      );
    });
  }

  it("drops what is more than the queue takes, those under way included, and takes more once there is room", async () => {
    const { account, end, batch, pending } = openDelivery({ queueMax: 5, batchMax: 2 });
    end(2);
    const { succeed } = await batch(0);
    end(7);
    assert.equal(pending(), 5);
    assert.deepEqual(account, { ...none, queue_full: 4 });
    succeed();
    end(3);
    assert.equal(pending(), 5);
    assert.deepEqual(account, { ...none, exported: 2, queue_full: 5 });
  });

  it("sends what is left at shutdown, and counts what ends after it as lost to it", async () => {
    const { account, end, delivery } = openDelivery({ onBatch: ({ succeed }) => succeed() });
    end(25);
    await delivery.shutdown();
    delivery.giveUp();
    end(2);
    assert.deepEqual(account, { ...none, exported: 25, shutdown: 2 });
  });

  it("at shutdown waits for every batch, also when one fails before", async () => {
    const { account, end, delivery, batches, batch } = openDelivery({ batchMax: 2 });
    end(4);
    const underWay = await batch(0);
    end(1);
    const closed = delivery.shutdown();
    (await batch(1)).fail();
    (await batch(2)).succeed();
    let waiting = true;
    void closed.then(() => {
      waiting = false;
    });
    await new Promise(setImmediate);
    assert.ok(waiting);
    underWay.succeed();
    await closed;
    assert.equal(batches.length, 3);
    assert.deepEqual(account, { ...none, exported: 3, export_failed: 2 });
  });

  it("counts what was given up as lost to the shutdown, once, whatever its exporter says later", async () => {
    const { account, end, delivery, batch } = openDelivery({ batchMax: 2 });
    end(3);
    const { succeed } = await batch(0);
    const closed = delivery.shutdown();
    const last = await batch(1);
    delivery.giveUp();
    assert.deepEqual(account, { ...none, shutdown: 3 });
    succeed();
    last.fail();
    delivery.giveUp();
    await closed;
    assert.deepEqual(account, { ...none, shutdown: 3 });
  });

  it("has one outcome for every span and never more pending than the queue takes, however the exporter behaves", async () => {
    const queueMax = 20;
    const behaviours: ((batch: Batch) => void)[] = [
      ({ succeed }) => succeed(),
      ({ fail }) => fail(),
      () => {},
      ({ succeed }) => void setTimeout(succeed, 2),
      ({ fail }) => void setTimeout(fail, 20),
      ({ succeed, fail }) => [succeed(), fail()],
      () => {
        throw new Error("broken");
      },
    ];
    const pick = () => behaviours[Math.floor(Math.random() * behaviours.length)];
    const { account, end, pending, delivery } = openDelivery({
      queueMax,
      batchMax: 7,
      exportTimeoutMs: 10,
      onBatch: (batch) => pick()?.(batch),
    });
    for (let round = 0; round < 100; round++) {
      end(Math.floor(Math.random() * 30));
      assert.ok(pending() >= 0 && pending() <= queueMax, `${pending()} pending`);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      assert.ok(pending() >= 0 && pending() <= queueMax, `${pending()} pending`);
    }
    await delivery.shutdown();
    assert.equal(pending(), 0);
    assert.equal(account.shutdown, 0);
    assert.ok(account.exported > 0 && account.export_failed > 0 && account.queue_full > 0, JSON.stringify(account));
  });
});
