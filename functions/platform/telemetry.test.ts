import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBoot, phases } from "./boot.ts";
import { readConfig } from "./config.ts";
import type { Exporter } from "./delivery.ts";
import { otelEntries } from "./otel-config.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";
import { captureLog, eventually, fakeClock, listen, testTelemetry } from "./testing.ts";

const spansTotal = "telemetry_spans_total";

/** A collector that takes spans or refuses them, as the test says. */
function fakeCollector() {
  const collector = {
    code: 0,
    exporter: {
      export: (_, done) => void setImmediate(() => done({ code: collector.code, error: new Error("refused") })),
      shutdown: async () => {},
    } satisfies Exporter,
  };
  return collector;
}

function end({ tracing }: Telemetry, spans: number): void {
  for (let i = 0; i < spans; i++) tracing.begin("work").end();
}

describe("spans that cannot be delivered", () => {
  it("are a warning that says why, and no other within a minute, whatever is delivered in between", async () => {
    const collector = fakeCollector();
    const telemetry = testTelemetry({ exporter: collector.exporter });
    const warnings = () => telemetry.lines.filter(({ msg }) => msg === "Cannot deliver spans: export_failed");
    const counts = { exported: 0, export_failed: 0 };
    const deliver = async (outcome: keyof typeof counts) => {
      collector.code = outcome === "exported" ? 0 : 1;
      end(telemetry, 1);
      counts[outcome] += 1;
      await eventually(outcome, async () => (await telemetry.value(spansTotal, { outcome })) === counts[outcome]);
      return warnings().length;
    };
    assert.equal(await deliver("exported"), 0);
    assert.equal(await deliver("export_failed"), 1);
    assert.equal(await deliver("exported"), 1);
    assert.equal(await deliver("export_failed"), 1);
    const now = performance.now.bind(performance);
    performance.now = () => now() + 60_000;
    try {
      assert.equal(await deliver("export_failed"), 2);
    } finally {
      performance.now = now;
    }
    const [first, second] = warnings();
    assert.deepEqual([first?.level, first?.spans_dropped], ["warn", 1]);
    assert.deepEqual(first?.err, { ...(first?.err as object), message: "refused" });
    assert.equal(second?.spans_dropped, 3);
  });

  it("for one reason do not silence another", async () => {
    const collector = fakeCollector();
    const telemetry = testTelemetry({ exporter: collector.exporter, env: { OTEL_BSP_MAX_QUEUE_SIZE: "1" } });
    collector.code = 1;
    end(telemetry, 3); // two more than may wait
    await eventually("all are lost", async () => (await telemetry.value(spansTotal)) === 3);
    const said = telemetry.lines.map(({ msg }) => msg);
    assert.deepEqual(said, ["Cannot deliver spans: queue_full", "Cannot deliver spans: export_failed"]);
  });
});

describe("close", () => {
  it("gives counts that add up to what was made, and that the metric tells too", async () => {
    const collector = fakeCollector();
    const env = { OTEL_BSP_MAX_QUEUE_SIZE: "10" };
    const telemetry = testTelemetry({ exporter: collector.exporter, env });
    end(telemetry, 3);
    await eventually("three are sent", async () => (await telemetry.value(spansTotal)) === 3);
    collector.code = 1;
    end(telemetry, 4);
    await eventually("four are lost", async () => (await telemetry.value(spansTotal)) === 7);
    collector.code = 0;
    end(telemetry, 15); // five more than may wait
    assert.deepEqual(await telemetry.close(), { spans_exported: 13, spans_dropped: 9 });
    const outcomes = { exported: 13, export_failed: 4, queue_full: 5 };
    for (const [outcome, spans] of Object.entries(outcomes)) {
      assert.equal(await telemetry.value(spansTotal, { outcome }), spans, outcome);
    }
    end(telemetry, 1);
    assert.deepEqual(await telemetry.close(), { spans_exported: 13, spans_dropped: 10 });
  });
});

describe("the start of a process", () => {
  it("is counted when it listens, and once", async () => {
    const telemetry = testTelemetry();
    const boots = () => telemetry.value("function_boots_total");
    for (const phase of phases) {
      assert.equal(await boots(), phases.indexOf(phase) > phases.indexOf("listen") ? 1 : 0, phase);
      assert.equal(telemetry.endPhase(phase), true);
      assert.equal(telemetry.endPhase(phase), false);
    }
    assert.equal(await boots(), 1);
  });

  it("shows how many seconds each phase took, as soon as that has ended", async () => {
    const clock = fakeClock(1_000);
    const telemetry = testTelemetry({ boot: createBoot({ startedMs: 1_000, now: clock.now }) });
    const shown = (phase: string) => telemetry.value("function_cold_start_seconds", { phase });
    for (const [index, phase] of phases.entries()) {
      assert.equal(await shown(phase), undefined);
      clock.advance(250 * (index + 1));
      telemetry.endPhase(phase);
      assert.equal(await shown(phase), 0.25 * (index + 1));
    }
    assert.equal(await telemetry.value("function_cold_start_seconds"), 0.25 * 15);
  });
});

describe("a series that is there from the first exposition on", () => {
  it("was zero when the process began to listen: before that Prometheus may have noted that it is gone", async () => {
    const clock = fakeClock(1_000);
    const telemetry = testTelemetry({ boot: createBoot({ startedMs: 1_000, now: clock.now }) });
    for (const phase of phases) {
      clock.advance(1_000);
      telemetry.endPhase(phase);
    }
    const text = await telemetry.metrics.expose("application/openmetrics-text");
    const listeningS = 1 + phases.indexOf("listen") + 1;
    assert.match(text, new RegExp(`^function_boots_created\\{service="test"\\} ${listeningS}$`, "m"));
  });
});

describe("a collector that never answers", () => {
  const [shortMs, longMs, never] = [150, 500, "60000"];
  /** What says how long it is waited for: the values, and the shortest wait. */
  const timeouts: [env: Record<string, string>, leastMs: number][] = [
    [{ OTEL_BSP_EXPORT_TIMEOUT: `${shortMs}`, OTEL_EXPORTER_OTLP_TIMEOUT: never }, shortMs],
    [{ OTEL_BSP_EXPORT_TIMEOUT: never, OTEL_EXPORTER_OTLP_TIMEOUT: `${shortMs}` }, shortMs],
    [{ OTEL_BSP_EXPORT_TIMEOUT: never, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: `${shortMs}` }, shortMs],
    [
      {
        OTEL_BSP_EXPORT_TIMEOUT: never,
        OTEL_EXPORTER_OTLP_TIMEOUT: `${shortMs}`,
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: `${longMs}`,
      },
      longMs,
    ],
  ];
  for (const [env, leastMs] of timeouts) {
    it(`is waited for as long as the environment says: ${JSON.stringify(env)}`, async () => {
      await using collector = await listen(() => {});
      const config = readConfig(otelEntries, {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_BSP_SCHEDULE_DELAY: "1",
        ...env,
      });
      const { log, lines } = captureLog();
      const telemetry = createTelemetry({ service: "test", log, boot: createBoot(), config });
      const startMs = performance.now();
      end(telemetry, 1);
      await eventually("it is given up", () => lines.some(({ msg }) => msg === "Cannot deliver spans: export_failed"));
      const elapsedMs = performance.now() - startMs;
      assert.ok(elapsedMs > leastMs - 2 && elapsedMs < 950, `${elapsedMs} ms`); // the defaults are 1 s and more
      assert.deepEqual(await telemetry.close(), { spans_exported: 0, spans_dropped: 1 });
    });
  }
});
