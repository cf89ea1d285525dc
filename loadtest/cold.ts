import { check, sleep } from "k6";
import http from "k6/http";
import type { Options } from "k6/options";
import { integer } from "./env.ts";
import { answers, buySomething, chain, summaryTrendStats, wakes } from "./shop.ts";
import { type SummaryData, summarize } from "./summary.ts";

const wakesWanted = integer("WAKES", 5);
const idleSeconds = integer("IDLE_SECONDS", 150, { min: 0 });
const p95Ms = integer("P95_MS", 5_000);
const replySecondsMax = 60;

http.setResponseCallback(answers);

export const options: Options = {
  summaryTrendStats,
  scenarios: {
    cold: {
      executor: "per-vu-iterations",
      vus: 1,
      iterations: wakesWanted,
      maxDuration: `${wakesWanted * (idleSeconds + replySecondsMax)}s`,
    },
  },
  thresholds: {
    http_reqs: [`count==${wakesWanted}`],
    http_req_failed: ["rate==0"],
    http_req_duration: [`p(95)<${p95Ms}`],
    checks: ["rate==1"],
    ...Object.fromEntries(chain.map((name) => [`cold_start{function:${name}}`, ["min>0"]])),
  },
};

/** Leaves the shop alone until it sleeps, then places one order. */
export default async function (): Promise<void> {
  await sleep(idleSeconds);
  const woken = wakes(await buySomething()).map(({ name }) => name);
  check(woken, {
    "gateway, orders and inventory had been asleep": (names) => chain.every((one) => names.includes(one)),
  });
}

export const handleSummary = (data: SummaryData) => summarize(data, { file: __ENV.SUMMARY });
