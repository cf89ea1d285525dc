import type { Boot, Phase } from "./boot.ts";
import type { Exporter, Outcome } from "./delivery.ts";
import type { Logger } from "./log.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { OtelConfig } from "./otel-config.ts";
import { createTracing, type Tracing } from "./tracing.ts";

/** What one function tells of itself: its log, its metrics, its spans, and how it started. */
export type Telemetry = {
  readonly service: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tracing: Pick<Tracing, "receive" | "begin">;
  readonly boot: Boot;
  /** A phase of the start has ended; false when it already had. */
  endPhase(phase: Phase): boolean;
  /** Sends the spans that are left, for at most a second; how many were sent and lost over the life of the process. Never rejects. */
  close(): Promise<SpanCounts>;
};

type SpanCounts = { spans_exported: number; spans_dropped: number };

type TelemetryOptions = {
  service: string;
  log: Logger;
  boot: Boot;
  config: OtelConfig;
  /** In place of the collector that the configuration names. */
  exporter?: Exporter;
};

const closeTimeoutMs = 1_000;
/** Whoever reads the first of many losses need not read the rest; how many there were is a metric. */
const warnEveryMs = 60_000;

/** Opens the telemetry of one process; nothing is sent before the first span has ended. */
export function createTelemetry({ service, log, boot, config, exporter }: TelemetryOptions): Telemetry {
  const metrics = createMetrics({ service, listeningMs: () => boot.startedMs + boot.wakeMs });
  const spans = metrics.counter("telemetry_spans_total");
  const counts = { exported: 0, dropped: 0 };
  const warnedMs = new Map<Outcome, number>();

  function count(outcome: Outcome, number: number, error?: Error): void {
    spans.inc({ outcome }, number);
    counts[outcome === "exported" ? "exported" : "dropped"] += number;
    if (outcome === "exported" || performance.now() < (warnedMs.get(outcome) ?? Number.NEGATIVE_INFINITY) + warnEveryMs)
      return;
    warnedMs.set(outcome, performance.now());
    log.warn({ ...(error && { err: error }), spans_dropped: counts.dropped }, `Cannot deliver spans: ${outcome}`);
  }

  const tracing = createTracing({ service, config, count, ...(exporter && { exporter }) });
  const phaseSeconds = metrics.gauge("function_cold_start_seconds");
  const boots = metrics.counter("function_boots_total");
  const showPhases = () => {
    for (const { phase, startMs, endMs } of boot.times) phaseSeconds.set({ phase }, (endMs - startMs) / 1000);
  };

  return {
    service,
    log,
    metrics,
    tracing,
    boot,
    endPhase(phase) {
      if (!boot.end(phase)) return false;
      if (phase === "listen") boots.inc();
      showPhases();
      return true;
    },
    async close() {
      await tracing.close(closeTimeoutMs);
      return { spans_exported: counts.exported, spans_dropped: counts.dropped };
    },
  };
}
