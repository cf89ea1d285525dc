import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { summarize } from "../summary.ts";
import type { Metrics } from "./metrics.ts";
import { showProgress } from "./progress.ts";
import { loadScript } from "./script.ts";
import { createSession } from "./session.ts";
import { summaryData } from "./summary-data.ts";
import type { Verdict } from "./thresholds.ts";
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
  const { warn, repeated } = createWarnings((text) => say(text));
  const session = createSession(warn);
  const { functions, options: exported } = await loadScript(path, {
    modules: session.modules,
    env,
    current: session.current,
  });
  const { options, run } = session.prepare({ functions, options: exported });
  const signal = stopOnSignal(run.stop);

  const name = basename(path).replace(/\.\w+$/, "");
  const progress = showProgress({ name, read: run.progress, write: err, isTerminal: process.stderr.isTTY === true });
  say = progress.say;
  const { verdicts, setupData, elapsedMs, error } = await run.start();
  progress.stop();
  say = (text) => err(`${text}\n`);

  const { metrics, checks } = session;
  for (const text of [...repeated(), ...lateness(metrics)]) say(text);
  const data = summaryData({
    metrics,
    checks,
    verdicts,
    trendStats: options.summaryTrendStats,
    elapsedMs,
    setupData,
    isStdOutTTY: process.stdout.isTTY === true,
  });
  await print((await functions.handleSummary?.(data)) ?? summarize(data, { file: env.SUMMARY }));
  for (const verdict of verdicts) if (!verdict.ok) say(describe(verdict));
  if (error) say(`Cannot finish "${name}": ${error.message}`);

  if (error) return exit.scriptException;
  if (signal.received) return exit.interrupted;
  return verdicts.every(({ ok }) => ok) ? exit.ok : exit.thresholdsCrossed;
}

/** The first signal ends the run, with its summary; a later one ends the process. */
function stopOnSignal(stop: () => void): { readonly received: boolean } {
  let firstMs: number | undefined;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      // One Ctrl-C comes twice: from the terminal, and from `bun run`, which passes on its own.
      if (firstMs !== undefined && performance.now() - firstMs > echoMs) process.exit(exit.interrupted);
      firstMs ??= performance.now();
      stop();
    });
  }
  return {
    get received() {
      return firstMs !== undefined;
    },
  };
}

/** That the figures are the runner's as much as the server's, where they are. */
function lateness(metrics: Metrics): string[] {
  const lagMs = metrics.select("runner_start_lag").sink.aggregate("p(95)", 0) ?? 0;
  if (lagMs <= lagMaxMs) return [];
  return [`The runner itself was late: one iteration in twenty began more than ${Math.round(lagMs)} ms after its time`];
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
