import { basename } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { exitCode } from "./exit-code.ts";
import { readVariables } from "./variables.ts";
import type { Job, Message } from "./worker.ts";

const answerMaxMs = 3_000;
const echoMs = 1_000; // a signal to the whole group comes again from `bun run load`, which passes it on

let written: Promise<unknown> = Promise.resolve();
const code = await main();
await written; // else a pipe that is read slowly would lose the rest
process.exit(code);

/** `bun loadtest/runner/main.ts run [-e NAME=value]… SCRIPT`, a part of `k6 run`. */
async function main(): Promise<number> {
  try {
    return await runInThread(readArguments(process.argv.slice(2)));
  } catch (error) {
    write("stderr", `${(error as Error).message}\n`);
    return exitCode.invalidConfig;
  }
}

function write(stream: "stdout" | "stderr", text: string): void {
  written = Promise.all([written, new Promise((resolve) => process[stream].write(text, resolve))]);
}

function readArguments(args: string[]): Job {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { env: { type: "string", short: "e", multiple: true, default: [] } },
  });
  const [command, script, ...more] = positionals;
  if (command !== "run" || !script || more.length > 0) {
    throw new Error(`Cannot read the command line "${args.join(" ")}": should be run [-e NAME=value] SCRIPT`);
  }
  return {
    script,
    name: basename(script).replace(/\.\w+$/, ""),
    env: { ...process.env, ...readVariables(values.env) },
    isTerminal: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  };
}

/** Runs the script beside the thread that hears signals, which so ends even a script that is caught in an endless loop. */
function runInThread(job: Job): Promise<number> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: job });
  return new Promise((resolve) => {
    const end = (code: number, why: string): void => {
      write("stderr", `Cannot finish "${job.name}": ${why}\n`);
      resolve(code);
    };
    let patience: NodeJS.Timeout | undefined;
    const ask = (): void => {
      worker.postMessage("stop");
      patience ??= setTimeout(
        () => end(exitCode.interrupted, "it does not answer, as in an endless loop; its figures are lost"),
        answerMaxMs,
      );
    };
    worker.on("message", (message: Message) => {
      if (message === "stopping") clearTimeout(patience);
      else if ("exitCode" in message) resolve(message.exitCode);
      else write(message.stream, message.text);
    });
    worker.on("error", ({ message }) => end(exitCode.scriptException, message));
    worker.on("exit", () => end(exitCode.scriptException, "its thread has ended"));

    let firstMs: number | undefined;
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.on(name, () => {
        firstMs ??= performance.now();
        if (performance.now() - firstMs <= echoMs) ask();
        else process.exit(exitCode.interrupted); // as k6 does at a second one
      });
    }
  });
}
