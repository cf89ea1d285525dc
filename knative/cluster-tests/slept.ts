import assert from "node:assert/strict";
import { it } from "node:test";
import { names } from "./environment.ts";
import { scrapeAll } from "./scrape.ts";
import type { Stage } from "./stage.ts";

/** Window 60 s, delay 15 s, grace, 30 s of drain, with room to spare. */
const sleepTimeoutMs = 240_000;

export function slept(stage: () => Stage): void {
  it("sleeps without traffic, down to no pod at all, while every pod is scraped each second", async () => {
    const { pods, say } = stage();
    for (const name of names) assert.ok(pods.of(name).length > 0, `${name} is awake`);
    await using scraper = scrapeAll(pods);
    await pods.allGone(sleepTimeoutMs);
    for (const name of names) {
      const reads = pods.lives
        .filter((life) => life.function === name)
        .map(({ pod }) => scraper.reads.get(pod)?.good ?? 0);
      assert.ok(Math.max(...reads) >= 30, `${name} was read ${Math.max(...reads)} times`);
    }
    say("no pod is left");
  });
}
