import assert from "node:assert/strict";
import { test } from "node:test";
import { startMaintenance } from "./maintenance.ts";
import { alive, until, writeFunction } from "./testing.ts";

async function start(source: string) {
  const lines: string[] = [];
  const failures: string[] = [];
  const maintenance = startMaintenance({
    command: [process.execPath, await writeFunction(source)],
    env: () => process.env,
    everyMs: 1,
    onLine: (line) => lines.push(line),
    onFailure: (detail) => failures.push(detail),
  });
  return { lines, failures, stop: maintenance.stop, [Symbol.asyncDispose]: maintenance.stop };
}

test("the program runs again and again, one run at a time, and its success is no news", async () => {
  await using settle = await start(`console.log("start"); setTimeout(() => console.log("end"), 20);`);
  await until("it has run three times", () => settle.lines.length >= 6);
  assert.deepEqual(settle.lines.slice(0, 6), ["start", "end", "start", "end", "start", "end"]);
  assert.deepEqual(settle.failures, []);
});

test("a failing run is told, and the next one comes", async () => {
  await using settle = await start(`process.exit(1);`);
  await until("it has failed twice", () => settle.failures.length >= 2);
  assert.equal(settle.failures[0], "exit code 1");
});

test("stop ends the run under way, which is no failure", async () => {
  const settle = await start(`console.log(process.pid); setInterval(() => {}, 1_000);`);
  await until("it runs", () => settle.lines.length === 1);
  await settle.stop();
  assert.ok(!alive(Number(settle.lines[0])));
  assert.deepEqual(settle.failures, []);
});
