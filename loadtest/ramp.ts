import { check } from "k6";
import http from "k6/http";
import type { Options } from "k6/options";
import { integer, share } from "./env.ts";
import { answers, browse, buySomething, summaryTrendStats } from "./shop.ts";
import { type SummaryData, summarize } from "./summary.ts";

const startRate = 1;
const rate = integer("RATE", 200);
const rampSeconds = integer("RAMP_SECONDS", 120);
const holdSeconds = integer("HOLD_SECONDS", 60);
const ordersShare = share("ORDERS_SHARE", 0.2);
const p95Ms = integer("P95_MS", 500);
const vusMax = integer("VUS_MAX", 1_000);

const vus = { preAllocatedVUs: Math.min(vusMax, Math.ceil(rate)), maxVUs: vusMax };
const heldMin = Math.floor(rate * holdSeconds * 0.99);

http.setResponseCallback(answers);

export const options: Options = {
  summaryTrendStats,
  scenarios: {
    ramp: {
      executor: "ramping-arrival-rate",
      startRate,
      stages: [{ target: rate, duration: `${rampSeconds}s` }],
      ...vus,
    },
    hold: {
      executor: "constant-arrival-rate",
      startTime: `${rampSeconds}s`,
      rate,
      duration: `${holdSeconds}s`,
      ...vus,
    },
  },
  thresholds: {
    http_req_failed: ["rate==0", { threshold: "rate<0.5", abortOnFail: true, delayAbortEval: "10s" }],
    checks: ["rate==1"],
    dropped_iterations: ["count==0"],
    "http_reqs{scenario:hold}": [`count>=${heldMin}`],
    "http_req_duration{scenario:hold}": [`p(95)<${p95Ms}`],
  },
};

/** One request: somebody looks around, or buys. */
export default async function (): Promise<void> {
  if (Math.random() < ordersShare) await buySomething();
  else check(await browse(), { "the products are shown": ({ status }) => status === 200 });
}

export function handleSummary(data: SummaryData) {
  const held = data.metrics["http_reqs{scenario:hold}"]?.values.count ?? 0;
  const line = `held: ${held} of ${rate * holdSeconds} requests, ${rate}/s for ${holdSeconds}s`;
  return summarize(data, { file: __ENV.SUMMARY, lines: [line] });
}
