import {
  trace as api,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  TraceFlags,
} from "@opentelemetry/api";
import { defaultResource, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
} from "@opentelemetry/sdk-trace-base";
import { type Count, createDelivery, type Exporter } from "./delivery.ts";
import { attributeLengthMax, type OtelConfig } from "./otel-config.ts";
import { openExporter } from "./otlp.ts";
import { createTrace, spanClock, type Trace } from "./trace.ts";
import { readTraceContext } from "./trace-context.ts";

/**
 * Who calls a function: functions of ours; anybody, so that the foreign sampled flag and `tracestate` are ignored; or anybody but
 * functions of ours, so that its span is the trace's root, whatever the caller says.
 */
export type Position = "inside" | "edge" | "outermost";

type ReceiveOptions = { headers: Pick<Headers, "get">; position: Position };

type Origin = { random?: boolean; parent?: SpanContext };

/** Where the spans of one process begin. */
export type Tracing = {
  /** The span of a request received; its name and route come with its end. */
  receive(options: ReceiveOptions): Trace;
  /** The root of work of our own. */
  begin(name: string): Trace;
  /** Sends what is left, for at most `timeoutMs`; what was not taken by then is counted as lost. */
  close(timeoutMs: number): Promise<void>;
};

type TracingOptions = {
  service: string;
  config: OtelConfig;
  count: Count;
  /** In place of the one the configuration names. */
  exporter?: Exporter;
};

/** Spans of one function, by the OpenTelemetry SDK; this file, delivery.ts and otlp.ts alone know it. */
export function createTracing({ service, config, count, exporter = openExporter(config) }: TracingOptions): Tracing {
  const { root, sampler } = samplersOf(config);
  const ids = createIds();
  const delivery =
    exporter &&
    createDelivery({
      exporter,
      count,
      queueMax: config.OTEL_BSP_MAX_QUEUE_SIZE,
      batchMax: config.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
      delayMs: config.OTEL_BSP_SCHEDULE_DELAY,
      exportTimeoutMs: config.OTEL_BSP_EXPORT_TIMEOUT,
    });
  const provider = new BasicTracerProvider({
    resource: describeProcess(service, config),
    sampler,
    idGenerator: ids,
    spanLimits: { attributeValueLengthLimit: attributeLengthMax(config) },
    spanProcessors: delivery ? [delivery] : [],
  });
  const tracer = provider.getTracer("@shop/platform");

  const decide = (traceId: string) =>
    root.shouldSample(ROOT_CONTEXT, traceId, "", SpanKind.SERVER, {}, []).decision ===
    SamplingDecision.RECORD_AND_SAMPLED
      ? TraceFlags.SAMPLED
      : TraceFlags.NONE;

  function start(name: string, options: SpanOptions, { random = false, parent }: Origin = {}): Trace {
    const context = parent ? api.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const now = spanClock();
    const span = tracer.startSpan(name, { ...options, startTime: now() }, context);
    return createTrace({ tracer, span, random, kept: delivery !== undefined, now });
  }

  function receive({ headers, position }: ReceiveOptions): Trace {
    const options = { kind: SpanKind.SERVER };
    const caller = readTraceContext(headers);
    if (!caller) return start("request", options);
    const { random, traceState, ...span } = caller;
    if (position === "outermost") {
      ids.next(caller.traceId);
      return start("request", options, { random });
    }
    const parent =
      position === "edge"
        ? { ...span, traceFlags: decide(caller.traceId) }
        : { ...span, ...(traceState && { traceState }) };
    return start("request", options, { random, parent });
  }

  return {
    receive,
    begin: (name) => start(name, {}),
    async close(timeoutMs) {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, timeoutMs);
      await Promise.race([provider.shutdown().catch(() => {}), late.promise]);
      clearTimeout(timer);
      delivery?.giveUp();
    },
  };
}

/** `root` decides where no parent has; at the edge it always does. */
function samplersOf(config: OtelConfig): { root: Sampler; sampler: Sampler } {
  if (config.OTEL_SDK_DISABLED === "true") return { root: new AlwaysOffSampler(), sampler: new AlwaysOffSampler() };
  const [, parentBased, name] = /^(parentbased_)?(.*)$/.exec(config.OTEL_TRACES_SAMPLER) ?? [];
  const root = rootSampler(name, config.OTEL_TRACES_SAMPLER_ARG);
  return { root, sampler: parentBased ? new ParentBasedSampler({ root }) : root };
}

function rootSampler(name: string | undefined, ratio: number): Sampler {
  if (name === "always_off") return new AlwaysOffSampler();
  return name === "traceidratio" ? ratioSampler(ratio) : new AlwaysOnSampler();
}

/** Keeps the traces that OpenTelemetry's SDK for Go keeps, and so Knative's proxies; the one for JavaScript reads a trace's id in another way. */
function ratioSampler(ratio: number): Sampler {
  const bound = BigInt(Math.floor(ratio * 2 ** 63));
  return {
    shouldSample: (_context, traceId) => {
      const isKept = BigInt(`0x${traceId.slice(16)}`) >> 1n < bound;
      return { decision: isKept ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
    },
    toString: () => `TraceIdRatioBased{${ratio}}`,
  };
}

/** Random ids, but that the next trace can be given one: the SDK has no other way to a root span in a trace that exists. */
function createIds() {
  const random = new RandomIdGenerator();
  let given: string | undefined;
  return {
    next(traceId: string) {
      given = traceId;
    },
    generateTraceId() {
      const traceId = given ?? random.generateTraceId();
      given = undefined;
      return traceId;
    },
    generateSpanId: () => random.generateSpanId(),
  };
}

/** Who speaks (OpenTelemetry semantic conventions, service and faas). */
function describeProcess(service: string, config: OtelConfig): Resource {
  const instance = crypto.randomUUID();
  const ours = resourceFromAttributes({
    "service.name": service,
    "service.instance.id": instance,
    "faas.name": service,
    "faas.instance": instance,
    ...(config.K_REVISION !== undefined && { "faas.version": config.K_REVISION }),
  });
  const given = resourceFromAttributes({
    ...config.OTEL_RESOURCE_ATTRIBUTES,
    ...(config.OTEL_SERVICE_NAME !== undefined && { "service.name": config.OTEL_SERVICE_NAME }),
  });
  return defaultResource().merge(ours).merge(given);
}
