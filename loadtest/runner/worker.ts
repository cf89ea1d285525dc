import { parentPort, workerData } from "node:worker_threads";
import { asError } from "./as-error.ts";
import { exitCode } from "./exit-code.ts";
import type { Metrics } from "./metrics.ts";
import { showProgress } from "./progress.ts";
import { loadScript } from "./script.ts";
import { createSession } from "./session.ts";
import { summaryData } from "./summary-data.ts";
import { writeSummary } from "./summary-output.ts";
import type { Verdict } from "./thresholds.ts";
import { createWarnings } from "./warnings.ts";

/** What a run is told by the main thread. */
export type Job = {
  script: string;
  name: string;
  env: Record<string, string | undefined>;
  isTerminal: { stdout: boolean; stderr: boolean };
};

/** What it tells the main thread: words, that it heard the wish to stop, and at last its exit code. */
export type Message = { stream: "stdout" | "stderr"; text: string } | "stopping" | { exitCode: number };

const lagMaxMs = 100;
const tell = (message: Message): void => parentPort?.postMessage(message);
const err = (text: string): void => tell({ stream: "stderr", text });

try {
  tell({ exitCode: await runScript(workerData) });
} catch (error) {
  err(`${(error as Error).message}\n`);
  tell({ exitCode: exitCode.invalidConfig });
}

async function runScript({ script, name, env, isTerminal }: Job): Promise<number> {
  let say = (text: string): void => err(`${text}\n`);
  const { warn, repeated } = createWarnings((text) => say(text));
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error) => warn(asError(error).message));
  }
  const session = createSession(warn);
  const { functions, options: exported } = await loadScript(script, {
    modules: session.modules,
    env,
    current: session.current,
    print: (text) => say(text),
  });
  const { options, run } = session.prepare({ functions, options: exported });
  let stopped = false;
  parentPort?.on("message", () => {
    stopped = true;
    run.stop();
    tell("stopping");
  });

  const progress = showProgress({ name, read: run.progress, write: err, isTerminal: isTerminal.stderr });
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
    isStdOutTTY: isTerminal.stdout,
  });
  await writeSummary(data, {
    own: functions.handleSummary,
    timeoutMs: options.handleSummaryTimeout,
    file: env.SUMMARY,
    write: (stream, text) => tell({ stream, text }),
  });
  for (const verdict of verdicts) if (!verdict.ok) say(describe(verdict));
  if (error || stopped) say(`Cannot finish "${name}": ${error?.message ?? "a signal has ended it"}`);

  if (error) return exitCode.scriptException;
  if (stopped) return exitCode.interrupted;
  return verdicts.every(({ ok }) => ok) ? exitCode.ok : exitCode.thresholdsCrossed;
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
