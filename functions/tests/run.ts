import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { functionNames } from "@shop/dev/shop";
import { ownServer } from "@shop/platform/testing";
import { runChild } from "./child.ts";

type Step = { runtime: "bun" | "deno"; paths: string[] };

const functions = ["platform", ...functionNames].map((name) => `functions/${name}`);

const devOnBoth = ["process", "postgres", "database"].map((name) => `functions/dev/${name}.test.ts`);

/** What each suite runs: on which runtime, and which folders or files. */
const suites: Record<string, Step[]> = {
  test: [{ runtime: "bun", paths: [...functions, "functions/dev", "functions/tests/shop", "loadtest"] }],
  "test:deno": [{ runtime: "deno", paths: [...functions, ...devOnBoth] }],
  "test:races": [{ runtime: "bun", paths: ["functions/tests/races"] }],
  "test:stack": [{ runtime: "bun", paths: ["functions/tests/stack"] }],
  "test:containers": [{ runtime: "bun", paths: ["functions/tests/containers"] }],
  "test:browser": [{ runtime: "bun", paths: ["functions/tests/browser"] }],
  "test:cluster": [{ runtime: "bun", paths: ["knative/cluster-tests"] }],
  "test:manifests": [{ runtime: "bun", paths: ["knative/tests", "knative/tools"] }],
};

const [name = "", ...flags] = process.argv.slice(2);
const steps = suites[name];
if (!steps) {
  console.error(`Cannot run "${name}": should be one of ${Object.keys(suites).join(", ")}`);
  process.exit(2);
}
const full = flags.includes("--full"); // the long form of a suite that has one, which writes its figures down

const needsDatabase = !["test:manifests", "test:cluster"].includes(name);

const count = { passed: 0, failed: 0, skipped: 0 };
const scratch = await mkdtemp(join(tmpdir(), "shop-suites-"));
const server = needsDatabase ? await ownServer() : undefined;
try {
  for (const [index, step] of steps.entries()) await run(step, join(scratch, `${index}.xml`));
} finally {
  await server?.stop();
  await rm(scratch, { recursive: true });
}
console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed === 0 ? 0 : 1);

async function run({ runtime, paths }: Step, report: string): Promise<void> {
  const command =
    runtime === "bun"
      ? [
          "bun",
          "test",
          `--timeout=${full ? 1_800_000 : 300_000}`,
          "--reporter=junit",
          `--reporter-outfile=${report}`,
          ...paths.map((path) => `./${path}/`),
        ]
      : ["node_modules/.bin/deno", "test", "--allow-all", "--no-check", `--junit-path=${report}`, ...paths];
  console.log(`\n${command.slice(0, 2).join(" ")} ${paths.join(" ")}`);
  const code = await runChild(command, {
    ...process.env,
    ...(server && { TEST_DATABASE_URL: server.url }),
    ...(full && { STACK_FULL: "1" }),
  });
  const tests = (await readFile(report, "utf8").catch(() => "")).split("<testcase").slice(1);
  const failed = tests.filter((test) => /<(failure|error)\b/.test(test)).length;
  const skipped = tests.filter((test) => /<skipped\b/.test(test)).length;
  count.failed += failed;
  count.skipped += skipped;
  count.passed += tests.length - failed - skipped;
  // A runner that died, or ran nothing, must not read as passed.
  if ((code !== 0 && failed === 0) || tests.length === 0) count.failed += 1;
}
