import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bootFields, createBoot, phases } from "./boot.ts";
import { fakeClock } from "./testing.ts";

const startedMs = 1_700_000_000_000;

/** A boot whose phases took 100, 20, 3, 40 and 5 ms. */
function booted() {
  const clock = fakeClock(startedMs);
  const boot = createBoot({ startedMs, now: clock.now });
  const durations = [100, 20, 3, 40, 5];
  phases.forEach((phase, i) => {
    clock.advance(durations[i] ?? 0);
    boot.end(phase);
  });
  return { boot, clock };
}

describe("createBoot", () => {
  it("has phases that add up: each begins where the one before ended, the first at the start of the process", () => {
    const { boot, clock } = booted();
    const ends = boot.times.map(({ endMs }) => endMs);
    assert.deepEqual(
      boot.times.map(({ phase }) => phase),
      [...phases],
    );
    assert.deepEqual(
      boot.times.map(({ startMs }) => startMs),
      [startedMs, ...ends.slice(0, -1)],
    );
    const sum = boot.times.reduce((total, { startMs, endMs }) => total + endMs - startMs, 0);
    assert.equal(sum, clock.now() - startedMs);
  });

  it("ends each phase once", () => {
    const { boot, clock } = booted();
    const times = structuredClone(boot.times);
    clock.advance(1_000);
    for (const phase of phases) assert.equal(boot.end(phase), false);
    assert.deepEqual(boot.times, times);
  });

  it("is cold until the first reply", () => {
    const boot = createBoot();
    for (const phase of phases) {
      assert.equal(boot.cold, true, phase);
      assert.equal(boot.end(phase), true);
    }
    assert.equal(boot.cold, false);
  });

  it("took as long to wake as it took to listen", () => {
    assert.equal(createBoot().wakeMs, 0);
    assert.equal(booted().boot.wakeMs, 123);
  });

  it("begins with the process, by a clock that agrees with the wall's", () => {
    const boot = createBoot();
    boot.end("modules");
    assert.ok(boot.startedMs <= performance.timeOrigin); // the runtime's own start, which comes later
    assert.ok(boot.startedMs > performance.timeOrigin - 10_000);
    assert.ok(Math.abs((boot.times[0]?.endMs ?? 0) - Date.now()) < 1_000);
  });
});

describe("bootFields", () => {
  it("tells each phase in milliseconds, to a hundredth", () => {
    assert.deepEqual(bootFields(booted().boot), {
      modules_ms: 100,
      config_ms: 20,
      listen_ms: 3,
      idle_ms: 40,
      first_request_ms: 5,
    });
    const clock = fakeClock(startedMs);
    const boot = createBoot({ startedMs, now: clock.now });
    clock.advance(1.23456);
    boot.end("modules");
    assert.deepEqual(bootFields(boot), { modules_ms: 1.23 });
  });
});
