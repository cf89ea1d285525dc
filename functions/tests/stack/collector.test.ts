import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { median } from "../bench/statistics.ts";
import { type Behaviour, openSink, type Sink } from "../otlp-sink.ts";
import { full, record } from "./full.ts";
import { startSolo } from "./solo.ts";

const rounds = full ? 9 : 3;
const requestsPerSlice = 4_000;
const connections = 16;
const bootSpans = 4;
const growthMaxMb = 10;
/** What the medians may differ by on a shared machine; the figures are in RESULTS.md. */
const cpuRatioMax = full ? 1.1 : 1.25;

/** The first is the measure for the others: what the same load does to the same function with a collector that is never away. */
const ways: (Behaviour | "refuse")[] = ["ok", "refuse", "hang", "garbage", "dribble", "partial", "slow", 500, 503];

describe("a collector that fails is not the shop's failure", () => {
  const rows: string[] = [];
  let ordinaryGrowthMb = 0;

  for (const way of ways) {
    it(`${way}: every request is answered, processor time and memory stay, and what is lost is counted`, async () => {
      await using sink = await openSink();
      const solo = await startSolo({ collectorUrl: sink.url });
      let requests = 0;
      const slice = async () => {
        requests += requestsPerSlice;
        return solo.load(requestsPerSlice, connections);
      };
      for (let i = 0; i < 4; i++) await slice(); // until the heap has its size
      const well = [];
      const ill = [];
      for (let round = 0; round < rounds; round++) {
        well.push(await slice());
        await turn(sink, way);
        ill.push(await slice());
        await turn(sink, "ok");
      }
      const { exported, dropped } = await solo.stop();

      const failed = [...well, ...ill].reduce((sum, one) => sum + one.failed, 0);
      assert.equal(failed, 0);
      const made = requests + bootSpans;
      const received = new Set(sink.spans.map(({ spanId }) => spanId)).size;
      assert.equal(exported, received);
      assert.equal(dropped, made - received);
      if (way !== "slow" && way !== "ok") assert.ok(dropped > 0, "it was in fact away");
      const cpuRatio = median(ill.map(({ cpuMs }) => cpuMs)) / median(well.map(({ cpuMs }) => cpuMs));
      const whileAwayMb = median(ill.map(({ rssMb }) => rssMb)) - median(well.map(({ rssMb }) => rssMb));
      const leftBehindMb = (well.at(-1)?.rssMb ?? 0) - (well[0]?.rssMb ?? 0);
      const grownMb = Math.max(whileAwayMb, leftBehindMb);
      if (way === "ok") ordinaryGrowthMb = Math.max(0, grownMb);
      const growthMb = grownMb - ordinaryGrowthMb;
      assert.ok(
        cpuRatio <= cpuRatioMax,
        `processor time per request is ${cpuRatio.toFixed(2)} times that with a collector`,
      );
      assert.ok(growthMb <= growthMaxMb, `memory grew by ${growthMb.toFixed(1)} MB more than it does with one`);
      rows.push(
        `| ${way} | ${requests} | ${failed} | ${cpuRatio.toFixed(2)} | ${grownMb.toFixed(1)} | ${made} | ${received} | ${dropped} |`,
      );
    });
  }

  it("is written down", () => {
    assert.equal(rows.length, ways.length);
    record("A collector that fails", [
      "| collector | requests | failed | processor time per request, to a live one in the same run | memory grew by, MB (at most 10 more than `ok`) | spans made | received | counted as dropped |",
      "|---|---|---|---|---|---|---|---|",
      ...rows,
    ]);
  });
});

async function turn(sink: Sink, way: Behaviour | "refuse"): Promise<void> {
  if (way === "refuse") return sink.refuse();
  if (way === "ok") await sink.listen();
  sink.behaviour = way;
}
