import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@shop/platform/testing";
import { type ProgressOptions, showProgress } from "./progress.ts";
import { createWarnings } from "./warnings.ts";

const progress = {
  phase: "running",
  elapsedMs: 2_000,
  plannedMs: 90_000,
  busyVus: 3,
  complete: 100,
  interrupted: 1,
  dropped: 2,
} as const;
const line = "ramp running 2.0s of 90.0s, 3 VUs busy, 100 iterations complete (50.0/s), 1 interrupted, 2 dropped";

function show(isTerminal: boolean) {
  const written: string[] = [];
  const options: ProgressOptions = {
    name: "ramp",
    read: () => progress,
    write: (text) => written.push(text),
    isTerminal,
  };
  return { ...showProgress(options), written };
}

test("on a terminal progress is one line that is written again", async () => {
  const { written, say, stop } = show(true);
  await eventually("two updates", () => written.length >= 2);
  say("something");
  stop();
  const clear = "\r\x1b[2K";
  const cut = `\x1b[?7l${line}\x1b[?7h`; // never wrapped, for only one line is cleared
  assert.deepEqual(written.slice(0, 2), [clear + cut, clear + cut]);
  assert.deepEqual(written.slice(-2), [`${clear}something\n${cut}`, `${clear}${line}\n`]);
});

test("without a terminal every line stands for itself", () => {
  const { written, say, stop } = show(false);
  say("something");
  stop();
  assert.deepEqual(written, ["something\n", `${line}\n`]);
});

test("a warning is told once, and at the end how often", () => {
  const said: string[] = [];
  const { warn, repeated } = createWarnings((text) => said.push(text));
  for (const text of ["a", "b", "a", "a"]) warn(text);
  assert.deepEqual(said, ["a", "b"]);
  assert.deepEqual(repeated(), ["3 times: a"]);
});
