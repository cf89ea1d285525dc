import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const load = fileURLToPath(new URL("./load.ts", import.meta.url));
const loadtest = fileURLToPath(new URL("..", import.meta.url));
let folder: string;

/** A k6 that shows what it was given. */
const k6 = '#!/bin/sh\nfor arg; do echo "$arg"; done\nexit 42\n';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "loadtest-"));
  await writeFile(join(folder, "k6"), k6);
  await chmod(join(folder, "k6"), 0o755);
});

after(() => rm(folder, { recursive: true }));

function run(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [load, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

const withK6 = () => ({ PATH: `${folder}${delimiter}${process.env.PATH}` });

describe("bun run load", () => {
  it("takes k6 where it is on PATH, says so, hands everything on and ends with its exit code", () => {
    const args = ["ramp", "--target", "http://10.0.0.1:80/", "--host", "gateway.example", "--summary", "/tmp/s.json"];
    const { status, stdout, stderr } = run([...args, "--", "-e", "RATE=5", "--tag", "testid=7"], withK6());
    assert.equal(status, 42);
    assert.equal(stderr, `ramp at http://10.0.0.1 (Host: gateway.example), with ${folder}/k6\n`);
    assert.deepEqual(stdout.trim().split("\n"), [
      "run",
      "--new-machine-readable-summary=false",
      ...["-e", "TARGET=http://10.0.0.1", "-e", "HOST=gateway.example", "-e", "SUMMARY=/tmp/s.json"],
      ...["-e", "RATE=5", "--tag", "testid=7"],
      `${loadtest}ramp.ts`,
    ]);
  });

  it("takes the project's runner elsewhere, and says so", () => {
    const { stderr } = run(["smoke", "--", "--vus", "3"], { TARGET: "http://127.0.0.1:1", PATH: "" });
    assert.match(stderr, /^smoke at http:\/\/127.0.0.1:1, with the project's runner\n/);
    assert.match(stderr, /Unknown option '--vus'/);
  });

  for (const [what, args, message] of [
    ["no scenario", [], 'Cannot load "": should be one of smoke, ramp, herd, cold\n'],
    ["an unknown one", ["soak"], 'Cannot load "soak": should be one of smoke, ramp, herd, cold\n'],
    ["two", ["smoke", "ramp"], 'Cannot load "smoke ramp": should be one of smoke, ramp, herd, cold\n'],
    [
      "a target that is none",
      ["smoke", "--target", "localhost:8000"],
      /^Cannot load the target "localhost:8000": should/,
    ],
    [
      "a target with a path",
      ["smoke", "--target", "http://x/api"],
      /^Cannot load the target "http:\/\/x\/api": should/,
    ],
    ["an unknown option", ["smoke", "--rate", "3"], /--rate/],
  ] as const) {
    it(`refuses ${what}`, () => {
      const { status, stdout, stderr } = run([...args], withK6());
      assert.deepEqual([status, stdout], [1, ""]);
      if (typeof message === "string") assert.equal(stderr, message);
      else assert.match(stderr, message);
    });
  }

  it("refuses a variable that a scenario cannot read, by name", () => {
    for (const [scenario, variable, why] of [
      ["ramp", "RATE=0", "should be an integer of at least 1"],
      ["ramp", "ORDERS_SHARE=2", "should be a number from 0 to 1"],
      ["herd", "CLIENTS=many", "should be an integer of at least 1"],
      ["cold", "TARGET=localhost", "should be such as"],
    ] as const) {
      const [name, value] = variable.split("=");
      const { status, stderr } = run([scenario, "--", "-e", variable], { PATH: "" });
      assert.equal(status, 104, stderr);
      assert.match(stderr, new RegExp(`Cannot read ${name} "${value}": ${why}`));
    }
  });
});
