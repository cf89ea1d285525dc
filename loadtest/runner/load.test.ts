import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "@shop/platform/testing";

const load = fileURLToPath(new URL("./load.ts", import.meta.url));
const loadtest = fileURLToPath(new URL("..", import.meta.url));
let folder: string;

/** A k6 that shows what it was given; with stdin it waits there for a signal, and shows that. */
const k6 = `#!/bin/sh
for name in INT TERM HUP; do trap "echo $name; exit 42" $name; done
for arg; do echo "$arg"; done
read -r _
exit 42
`;

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
    const { status, stdout, stderr } = run([...args, "-e", "RATE=5", "--", "--tag", "testid=7"], withK6());
    assert.equal(status, 42);
    assert.equal(stderr, `ramp at http://10.0.0.1 (Host: gateway.example), with ${folder}/k6\n`);
    assert.deepEqual(stdout.trim().split("\n"), [
      "run",
      "--new-machine-readable-summary=false",
      ...["-e", "RATE=5", "-e", "TARGET=http://10.0.0.1", "-e", "HOST=gateway.example", "-e", "SUMMARY=/tmp/s.json"],
      ...["--tag", "testid=7"],
      `${loadtest}ramp.ts`,
    ]);
  });

  it("takes the project's runner elsewhere, and says so", () => {
    const { stderr } = run(["smoke", "--", "--vus", "3"], { TARGET: "http://127.0.0.1:1", PATH: "" });
    assert.match(stderr, /^smoke at http:\/\/127.0.0.1:1, with the project's runner\n/);
    assert.match(stderr, /Unknown option '--vus'/);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`passes ${signal} on to what it has started`, async () => {
      const child = spawn(process.execPath, [load, "smoke"], { env: { ...process.env, ...withK6() } });
      let stdout = "";
      child.stdout.on("data", (text) => {
        stdout += text;
      });
      const code = new Promise((resolve) => child.on("close", resolve));
      await eventually("it runs", () => stdout.endsWith("smoke.ts\n"));
      await eventually("it has had it", () => stdout.endsWith(`${signal.slice(3)}\n`) || !child.kill(signal));
      assert.equal(await code, 42);
    });
  }

  it("names in its help, and in the README, each scenario's variables with the defaults that the script has", async () => {
    const { status, stdout } = run(["--help"]);
    assert.equal(status, 0);
    const readme = await readFile(join(loadtest, "README.md"), "utf8");
    for (const scenario of ["smoke", "ramp", "herd", "cold"]) {
      const source = await readFile(join(loadtest, `${scenario}.ts`), "utf8");
      const variables = [...source.matchAll(/(?:integer|share)\("(\w+)", ([\d_.]+)/g)].map(([, name, value = ""]) => ({
        name,
        value: value.replace("_", ""),
      }));
      const inHelp = variables.map(({ name, value }) => `${name}=${value}`).join(" ");
      assert.ok(stdout.includes(`\n  ${scenario} `) && stdout.includes(inHelp), scenario);
      const inReadme = variables.map(({ name, value }) => `\`${name}\` \\(${value}\\)`).join(", ");
      assert.match(readme, new RegExp(`^\\| \`${scenario}\` .*\\| *${inReadme} *\\|$`, "m"));
    }
  });

  for (const [what, args, message] of [
    ["no scenario", [], /^Cannot load "": should be one of smoke, ramp, herd, cold\n/],
    ["an unknown one", ["soak"], /^Cannot load "soak": should be one of smoke, ramp, herd, cold\n/],
    ["two", ["smoke", "ramp"], /^Cannot load "smoke ramp": should be one of smoke, ramp, herd, cold\n/],
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
    ["an unknown option", ["smoke", "--rate", "3"], /^Unknown option '--rate'\n/],
    [
      "a variable that the scenario does not read",
      ["herd", "-e", "RATE=5"],
      /^Cannot set "RATE": herd reads CLIENTS, IDLE_SECONDS, TARGET, HOST, SUMMARY\n/,
    ],
    ["a variable without a value", ["ramp", "-e", "RATE"], /^Cannot read -e "RATE": should be NAME=value\n/],
  ] as const) {
    it(`refuses ${what}`, () => {
      const { status, stdout, stderr } = run([...args], withK6());
      assert.deepEqual([status, stdout], [1, ""]);
      assert.match(stderr, message);
      assert.match(stderr, /\nbun run load --help says what there is\.\n$/);
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
      const { status, stderr } = run([scenario, "-e", variable], { PATH: "" });
      assert.equal(status, 104, stderr);
      assert.match(stderr, new RegExp(`Cannot read ${name} "${value}": ${why}`));
    }
  });
});
