import assert from "node:assert/strict";
import { it } from "node:test";
import { names } from "./environment.ts";
import { record } from "./results.ts";
import { scrapeAll } from "./scrape.ts";
import type { Stage } from "./stage.ts";

/** Window 60 s, delay 15 s, grace, 30 s of drain, with room to spare. */
const sleepTimeoutMs = 240_000;
/** The window alone takes that long. */
const settledMs = 60_000;
/** A pod that was told to end is read for as long as Prometheus may need for its last counts: a scrape interval and a time-out. */
const lastReadMs = 18_000;
/** Of the reads that a second each would make: timers run late, and the first waits for its turn. */
const shareMin = 0.9;

export function slept(stage: () => Stage): void {
  it("sleeps without traffic, down to no pod at all, while every pod is scraped each second, and is what the manifests say", async () => {
    const { environment, pods, say } = stage();
    for (const name of names) assert.ok(pods.of(name).length > 0, `${name} is awake`);
    const fromMs = Date.now();
    await using scraper = scrapeAll(pods);
    await pods.allGone(sleepTimeoutMs);
    assert.ok(Date.now() - fromMs > settledMs);
    assert.deepEqual(
      pods.lives.filter(({ createdMs }) => createdMs > fromMs),
      [],
      "no scrape woke a pod",
    );
    assert.equal(await environment.diff(), "", "nothing has changed it for a minute");
    let all = 0;
    for (const life of pods.lives) {
      const { pod, readyMs = fromMs, endingMs = fromMs } = life;
      const firstMs = Math.max(fromMs, readyMs);
      const lastMs = endingMs + lastReadMs;
      if (lastMs <= firstMs) continue; // it had been read for the last time before
      const reads = scraper.readsOf(life).filter(({ atMs }) => atMs < lastMs);
      assert.deepEqual(
        reads.filter(({ good }) => !good),
        [],
        `${pod} answers`,
      );
      assert.ok(
        reads.length >= ((lastMs - firstMs) / 1_000) * shareMin - 1,
        `${pod} was read ${reads.length} times in ${lastMs - firstMs} ms`,
      );
      all += reads.length;
    }
    for (const name of names)
      assert.ok(pods.lives.some((life) => life.function === name && scraper.readsOf(life).length > 30));
    say(`no pod is left, after ${all} reads`);
    record("Asleep", [
      `${all} reads, one a second of every pod until ${lastReadMs / 1_000} s after it was told to end: all were answered, none woke a pod; then none of the five had one.`,
    ]);
  });
}
