import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-base";

/** What became of a span: the collector took it and said so, or why it is lost. */
export type Outcome = "exported" | "queue_full" | "export_failed" | "shutdown";

/** An exporter that may say how many spans of a batch were rejected, though the rest was taken. */
export type Exporter = Omit<SpanExporter, "export"> & {
  export(spans: ReadableSpan[], done: (result: ExportResult & { rejected?: number }) => void): void;
};

/** Told once of every sampled span that has ended, and with an error of why it is lost. */
export type Count = (outcome: Outcome, spans: number, error?: Error) => void;

type DeliveryOptions = {
  exporter: Exporter;
  count: Count;
  queueMax: number;
  batchMax: number;
  delayMs: number;
  exportTimeoutMs: number;
};

/** A processor that can account for what it still has when the process ends. */
export type Delivery = SpanProcessor & { giveUp(): void };

/**
 * The SDK's batch processor, with an account of every span: at most `queueMax` wait or are under way, each ends as one {@link Outcome}.
 * (The SDK counts what it drops for itself only.)
 */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { exporter, count, queueMax, batchMax, delayMs, exportTimeoutMs } = options;
  let pending = 0;
  let closed = false;
  const empty = Promise.withResolvers<void>();

  function settle(outcome: Outcome, spans: number, error?: Error): void {
    const open = Math.min(spans, pending); // fewer, once they were given up
    pending -= open;
    if (open > 0) count(outcome, open, error);
    if (closed && pending === 0) empty.resolve();
  }

  const batches = new BatchSpanProcessor(counted(exporter, exportTimeoutMs, settle), {
    maxQueueSize: queueMax,
    maxExportBatchSize: Math.min(batchMax, queueMax),
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: 2 * exportTimeoutMs, // never first: the time-out is ours
  });

  return {
    onStart: () => {},
    onEnd(span) {
      if (closed) return count("shutdown", 1);
      if (pending >= queueMax) return count("queue_full", 1);
      pending += 1;
      batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    async shutdown() {
      closed = true;
      if (pending === 0) empty.resolve();
      await batches.shutdown().catch(() => {}); // at the first batch that fails, while others are still under way
      await empty.promise;
    },
    giveUp: () => settle("shutdown", pending),
  };
}

/** Settles each batch exactly once, also one whose exporter never calls back. */
function counted(exporter: Exporter, timeoutMs: number, settle: Count): SpanExporter {
  return {
    export(spans: ReadableSpan[], done) {
      let open = true;
      const end = (taken: number, error?: Error) => {
        if (!open) return;
        open = false;
        clearTimeout(timer);
        settle("exported", taken);
        settle("export_failed", spans.length - taken, error);
        done({ code: taken > 0 ? ExportResultCode.SUCCESS : ExportResultCode.FAILED });
      };
      const timer = setTimeout(
        end,
        timeoutMs,
        0,
        new Error("Cannot deliver spans: the collector does not answer in time"),
      );
      exporter.export(spans, ({ code, error, rejected = 0 }) => {
        if (code !== ExportResultCode.SUCCESS) return end(0, error);
        const lost = Math.min(Math.max(rejected, 0), spans.length);
        end(
          spans.length - lost,
          lost > 0 ? new Error(`Cannot deliver spans: the collector rejects ${lost}`) : undefined,
        );
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
