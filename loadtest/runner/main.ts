import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { summarize } from "../summary.ts";
import { createApi } from "./api.ts";
import { createMetrics } from "./metrics.ts";
import { type Options, readOptions } from "./options.ts";
import { showProgress } from "./progress.ts";
import { createRun } from "./run.ts";
import { loadScript } from "./script.ts";
import { summaryData } from "./summary-data.ts";
import { readThresholds, type Verdict } from "./thresholds.ts";
import { createCurrent } from "./vu.ts";
import { createWarnings } from "./warnings.ts";

/** k6's exit codes (docs of its package errext/exitcodes). */
const exit = { ok: 0, thresholdsCrossed: 99, invalidConfig: 104, interrupted: 105, scriptException: 107 };

const lagMaxMs = 100;
const echoMs = 1_000;
const err = (text: string): void => {
  process.stderr.write(text);
};

process.exit(await main());

/** `bun loadtest/runner/main.ts run [-e NAME=value]… SCRIPT`, a part of `k6 run`. */
async function main(): Promise<number> {
  try {
    const { script, env } = readArguments(process.argv.slice(2));
    return await runScript(script, env);
  } catch (error) {
    err(`${(error as Error).message}\n`);
    return exit.invalidConfig;
  }
}

function readArguments(args: string[]): { script: string; env: Record<string, string | undefined> } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { env: { type: "string", short: "e", multiple: true, default: [] } },
  });
  const [command, script, ...more] = positionals;
  if (command !== "run" || !script || more.length > 0) {
    throw new Error(`Cannot read the command line "${args.join(" ")}": should be run [-e NAME=value] SCRIPT`);
  }
  const pairs = values.env.map((pair): [string, string] => {
    const [name = "", ...value] = pair.split("=");
    if (name === "" || value.length === 0) throw new Error(`Cannot read -e "${pair}": should be NAME=value`);
    return [name, value.join("=")];
  });
  return { script, env: { ...process.env, ...Object.fromEntries(pairs) } };
}

async function runScript(path: string, env: Record<string, string | undefined>): Promise<number> {
  let say = (text: string): void => err(`${text}\n`);
  const warnings = createWarnings((text) => say(text));
  const { warn } = warnings;
  let options: Options | undefined;
  const settings = () => {
    if (!options) throw new Error("Cannot send a request: the script is still being read");
    return options;
  };
  const metrics = createMetrics();
  const current = createCurrent();
  const api = createApi({ current, metrics, settings, warn });

  const { functions, options: exported } = await loadScript(path, { modules: api.modules, env, current });
  const { handleSummary, ...work } = functions;
  options = readOptions(exported);
  for (const [name, { exec }] of Object.entries(options.scenarios)) {
    if (!work[exec]) throw new Error(`Cannot run the scenario "${name}": the script exports no function "${exec}"`);
  }
  const thresholds = readThresholds(options.thresholds, metrics);
  const run = createRun({ functions: work, options, metrics, thresholds, current, warn });

  let interruptedMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // One Ctrl-C comes twice: from the terminal, and from `bun run`, which passes on its own.
      if (interruptedMs !== undefined && performance.now() - interruptedMs > echoMs) process.exit(exit.interrupted);
      interruptedMs ??= performance.now();
      run.stop();
    });
  }

  const name = basename(path).replace(/\.\w+$/, "");
  const progress = showProgress({ name, read: run.progress, write: err, isTerminal: process.stderr.isTTY === true });
  say = progress.say;
  const { verdicts, setupData, elapsedMs, error } = await run.start();
  progress.stop();
  say = (text) => err(`${text}\n`);
  for (const text of warnings.repeated()) say(text);
  const lagMs = metrics.select("runner_start_lag").sink.aggregate("p(95)", elapsedMs) ?? 0;
  if (lagMs > lagMaxMs) {
    say(`The runner itself was late: one iteration in twenty began more than ${Math.round(lagMs)} ms after its time`);
  }

  const data = summaryData({
    metrics,
    checks: api.checks,
    verdicts,
    trendStats: options.summaryTrendStats,
    elapsedMs,
    setupData,
    isStdOutTTY: process.stdout.isTTY === true,
  });
  await print((await handleSummary?.(data)) ?? summarize(data, { file: env.SUMMARY }));
  for (const verdict of verdicts) if (!verdict.ok) say(describe(verdict));

  if (error) {
    say(`Cannot finish "${name}": ${error.message}`);
    return exit.scriptException;
  }
  if (verdicts.some(({ ok }) => !ok)) return exit.thresholdsCrossed;
  return interruptedMs === undefined ? exit.ok : exit.interrupted;
}

function describe({ metric, expression, method, observed }: Verdict): string {
  return `Threshold crossed: ${metric} should have ${expression}, has ${method}=${Math.round(observed * 1e6) / 1e6}`;
}

/** What `handleSummary` answers: texts by the file they go to, or `stdout`, `stderr`. */
async function print(outputs: unknown): Promise<void> {
  for (const [target, text] of Object.entries(outputs as Record<string, string>)) {
    if (target === "stdout") process.stdout.write(text);
    else if (target === "stderr") err(text);
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, text);
    }
  }
}
