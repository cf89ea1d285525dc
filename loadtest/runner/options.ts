import * as v from "valibot";
import { durationMs, isDuration } from "./duration.ts";

const Duration = v.pipe(
  v.string(),
  v.check(isDuration, "should be a duration such as 500ms, 30s or 1m30s"),
  v.transform(durationMs),
);
const Count = v.pipe(v.number(), v.integer(), v.minValue(1));
const Rate = v.pipe(v.number(), v.integer(), v.minValue(0));
const Tags = v.record(v.string(), v.string());

const common = {
  exec: v.optional(v.string(), "default"),
  startTime: v.optional(Duration, "0s"),
  gracefulStop: v.optional(Duration, "30s"),
  tags: v.optional(Tags, {}),
};

const arrivalRate = {
  timeUnit: v.optional(Duration, "1s"),
  preAllocatedVUs: Count,
  maxVUs: v.optional(Count),
};

const Scenario = v.variant("executor", [
  v.strictObject({
    executor: v.literal("constant-arrival-rate"),
    rate: Count,
    duration: Duration,
    ...arrivalRate,
    ...common,
  }),
  v.strictObject({
    executor: v.literal("ramping-arrival-rate"),
    startRate: v.optional(Rate, 0),
    stages: v.pipe(v.array(v.strictObject({ target: Rate, duration: Duration })), v.minLength(1)),
    ...arrivalRate,
    ...common,
  }),
  v.strictObject({
    executor: v.literal("per-vu-iterations"),
    vus: v.optional(Count, 1),
    iterations: v.optional(Count, 1),
    maxDuration: v.optional(Duration, "10m"),
    ...common,
  }),
]);

const ThresholdObject = v.strictObject({
  threshold: v.string(),
  abortOnFail: v.optional(v.boolean(), false),
  delayAbortEval: v.optional(Duration, "0s"),
});
/** k6's short form is its long form without more to say. */
const Threshold = v.pipe(
  v.unknown(),
  v.transform((given) => (typeof given === "string" ? { threshold: given } : given)),
  ThresholdObject,
);

const Options = v.strictObject({
  scenarios: v.pipe(
    v.record(v.string(), Scenario),
    v.check((all) => Object.keys(all).length > 0, "should have one at least"),
  ),
  thresholds: v.optional(v.record(v.string(), v.array(Threshold)), {}),
  tags: v.optional(Tags, {}),
  summaryTrendStats: v.optional(v.array(v.pipe(v.string(), v.regex(/^(avg|min|med|max|count|p\(\d+(\.\d+)?\))$/))), [
    "avg",
    "min",
    "med",
    "max",
    "p(90)",
    "p(95)",
  ]),
  setupTimeout: v.optional(Duration, "60s"),
  teardownTimeout: v.optional(Duration, "60s"),
  handleSummaryTimeout: v.optional(Duration, "2m"),
  discardResponseBodies: v.optional(v.boolean(), false),
  maxRedirects: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 10),
  noConnectionReuse: v.optional(v.boolean(), false),
  userAgent: v.optional(v.string(), "shop-loadtest"),
});

/** A script's options as the runner runs them: every default filled in, durations in milliseconds. */
export type Options = v.InferOutput<typeof Options>;
export type Scenario = v.InferOutput<typeof Scenario>;
export type ThresholdOption = v.InferOutput<typeof Threshold>;

/** Reads what a script exports as `options`; an option that the runner lacks is an error, as ignoring it would change the test. */
export function readOptions(options: unknown): Options {
  const { success, output, issues } = v.safeParse(Options, options);
  if (success) return output;
  throw new Error(describe(issues[0]));
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = `options.${v.getDotPath(issue) ?? ""}`.replace(/\.$/, "");
  if (issue.expected === "never") return `Cannot use "${path}": the runner has no such option`;
  if (issue.received === "undefined") return `Cannot read "${path}": it is missing`;
  if (path.endsWith(".executor")) {
    return `Cannot use "${path}": the runner has no ${issue.received}, only ${issue.expected}`;
  }
  return `Cannot read "${path}": ${issue.message}`;
}
