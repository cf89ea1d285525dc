import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { freshDatabase } from "@shop/platform/testing";
import { openSink, type SinkSpan } from "../otlp-sink.ts";
import { anyAsk } from "./asks.ts";
import { type Account, type Loss, openFleet } from "./fleet.ts";
import { full, record } from "./full.ts";

const requests = full ? 20_000 : 3_000;
const requestsPerProcess = 500;
const connections = 8;
const serverKind = 2;

type Books = Account & { roots: number };

describe("four accounts of the same requests", () => {
  it(`agree over ${requests} requests while processes are retired: answered, counted, logged, traced`, async () => {
    const books = await keepBooks(requests);
    assert.deepEqual(differences(books), { counters: 0, lines: 0, roots: 0 });
    record("Requests, counters, access lines and root spans", [
      "| requests | processes | counted | access lines | root spans received |",
      "|---|---|---|---|---|",
      `| ${books.requests} | ${requests / requestsPerProcess} | ${books.counters} | ${books.lines} | ${books.roots} |`,
    ]);
  });

  const planted: [Loss, string][] = [
    ["scrape", "counters"],
    ["lines", "lines"],
    ["spans", "roots"],
  ];
  for (const [loss, account] of planted) {
    it(`find a loss of ${loss}: of all accounts only that of the ${account} is short`, async () => {
      const found = differences(await keepBooks(4 * requestsPerProcess, { process: 1, loss }));
      const short = Object.entries(found).filter(([, difference]) => difference !== 0);
      assert.deepEqual(
        short.map(([name, difference]) => [name, difference < 0]),
        [[account, true]],
        JSON.stringify(found),
      );
    });
  }
});

async function keepBooks(total: number, planted?: { process: number; loss: Loss }): Promise<Books> {
  const database = await freshDatabase("users");
  await using sink = await openSink();
  const fleet = await openFleet({ databaseUrl: database.url, collectorUrl: sink.url, ...(planted && { planted }) });
  for (let sent = 0; sent < total; sent += requestsPerProcess) {
    let left = requestsPerProcess;
    const client = async () => {
      while (left-- > 0) await fleet.request(anyAsk());
    };
    const clients = Array.from({ length: connections }, client);
    if (sent + requestsPerProcess < total) await fleet.renew(); // in the midst of the load
    await Promise.all(clients);
  }
  await fleet.close();
  await database.drop();
  return { ...fleet.account, roots: sink.spans.filter(isRoot).length };
}

const isRoot = ({ kind, parentSpanId }: SinkSpan): boolean => kind === serverKind && parentSpanId === "";

const differences = ({ requests, counters, lines, roots }: Books) => ({
  counters: counters - requests,
  lines: lines - requests,
  roots: roots - requests,
});
