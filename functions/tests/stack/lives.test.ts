import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requestTimeoutMaxMs } from "@shop/platform/config";
import { eventually, freePort, freshDatabase } from "@shop/platform/testing";
import { full, record } from "./full.ts";
import { drainS, type Ledger, ledgerKey, live } from "./lives.ts";
import { scrapeIntervalS, scrapeTimeoutS, startPrometheus, type Target } from "./prometheus.ts";

const lives = full ? 200 : 30;
/** Fewer addresses than lives: on a cluster a new pod can have an old one's. */
const addresses = full ? 70 : 20;
const startEveryMs = full ? 500 : 700;

describe("process lives under a real Prometheus", () => {
  it("a request that takes as long as it may is still read before its pod goes", () => {
    assert.ok(requestTimeoutMaxMs / 1_000 + scrapeIntervalS + scrapeTimeoutS < drainS);
  });

  it(`counts the requests of ${lives} lives exactly, per route and status`, async () => {
    const database = await freshDatabase("users");
    const targets = new Set<Target>();
    const ledger: Ledger = new Map();
    await using prometheus = await startPrometheus(targets);
    const startedMs = Date.now();

    const free = await Promise.all(Array.from({ length: addresses }, () => freePort()));
    let done = 0;
    const run = async (port: number): Promise<void> => {
      const requests = 1 + Math.floor(Math.random() * 20);
      const options = { databaseUrl: database.url, port, targets, ledger, requests, random: Math.random };
      const address = `127.0.0.1:${port}`;
      const atTheEnd = async () => assert.deepEqual(await prometheus.errors(address), ["", ""]);
      assert.equal(await live({ ...options, atTheEnd }), 0);
      // As a cluster does: until discovery has noticed that a pod is gone, nobody else gets its address.
      await eventually(
        "Prometheus has dropped it",
        async () => (await prometheus.errors(address)).length === 0,
        60_000,
      );
      free.push(port);
      done++;
    };
    const running: Promise<void>[] = [];
    for (let i = 0; i < lives; i++) {
      const port = await eventually("an address is free", () => free.shift(), 60_000);
      running.push(run(port));
      await new Promise((resolve) => setTimeout(resolve, startEveryMs));
    }
    await Promise.all(running);
    assert.equal(done, lives);
    await eventually("Prometheus has read its last target", () => noTargets(prometheus), 30_000);

    const windowS = Math.ceil((Date.now() - startedMs) / 1_000) + 60;
    const counted = (job: string) =>
      countsOf(
        prometheus,
        `sum by (method, route, status_code) (increase(http_requests_total{job="${job}"}[${windowS}s] anchored))`,
      );
    assert.deepEqual(Object.fromEntries(await counted("functions")), Object.fromEntries([...ledger].sort()));

    const total = sum(ledger);
    const text = sum(await counted("text"));
    assert.ok(text < total, `without _created ${text} of ${total} were counted`);
    const boots = await prometheus.query(`sum(increase(function_boots_total{job="functions"}[${windowS}s] anchored))`);
    assert.equal(boots[0]?.value, lives);
    const plain = sum(
      await countsOf(
        prometheus,
        `sum by (method, route, status_code) (increase(http_requests_total{job="functions"}[${windowS}s]))`,
      ),
    );
    assert.deepEqual(complaints(prometheus.lines), []);

    record("Requests counted over process lives", [
      "| lives | addresses | requests | counted (`anchored`, `_created`) | without `_created` | plain `increase()` |",
      "|---|---|---|---|---|---|",
      `| ${lives} | ${addresses} | ${total} | ${sum(await counted("functions"))} | ${text} (${percent(text, total)}) | ${plain.toFixed(1)} (${percent(plain, total)}) |`,
    ]);
    await database.drop();
  });
});

type Prometheus = Awaited<ReturnType<typeof startPrometheus>>;

async function countsOf(prometheus: Prometheus, query: string): Promise<Ledger> {
  const samples = await prometheus.query(query);
  return new Map(samples.map(({ metric, value }) => [ledgerKey(metric), value] as const).sort());
}

async function noTargets(prometheus: Prometheus): Promise<boolean> {
  const { activeTargets } = await prometheus.get<{ activeTargets: unknown[] }>("targets");
  return activeTargets.length === 0;
}

/** What Prometheus says of samples: out of order, or twice. (That it cannot read a text it says of the target.) */
const complaints = (lines: string[]) =>
  lines.filter((line) => /level=(warn|error)/i.test(line) && /scrape/i.test(line));

const sum = (ledger: Ledger): number => [...ledger.values()].reduce((total, value) => total + value, 0);
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
