import http from "k6/http";
import type { Options } from "k6/options";
import { integer } from "./env.ts";
import { answers, buySomething, chain, summaryTrendStats } from "./shop.ts";
import { type SummaryData, summarize } from "./summary.ts";

const clients = integer("CLIENTS", 200);
const idleSeconds = integer("IDLE_SECONDS", 150, { min: 0 });

http.setResponseCallback(answers);

export const options: Options = {
  summaryTrendStats,
  scenarios: {
    herd: {
      executor: "per-vu-iterations",
      startTime: `${idleSeconds}s`,
      vus: clients,
      iterations: 1,
      maxDuration: "2m",
    },
  },
  thresholds: {
    http_reqs: [`count==${clients}`],
    http_req_failed: ["rate==0"],
    checks: ["rate==1"],
    // Else one of them was awake, and the run shows less than it says.
    ...Object.fromEntries(chain.map((name) => [`cold_start{function:${name}}`, ["min>0"]])),
  },
};

/** All clients at once, at a shop that sleeps. */
export default async function (): Promise<void> {
  await buySomething();
}

export const handleSummary = (data: SummaryData) => summarize(data, { file: __ENV.SUMMARY });
