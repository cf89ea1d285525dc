import { dirname } from "node:path";
import type * as v from "valibot";
import { type Boot, createBoot } from "./boot.ts";
import { ConfigError, platformEntries, readConfig } from "./config.ts";
import { createLogger, flushLog, type Logger } from "./log.ts";
import { type OtelConfig, otelEntries } from "./otel-config.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";

const ownEntries = { ...platformEntries, ...otelEntries };

type Entries<E extends v.ObjectEntries> = E & typeof ownEntries;
/** What a command runs with. */
export type Started<E extends v.ObjectEntries> = {
  config: Readonly<v.InferOutput<v.ObjectSchema<Entries<E>, undefined>>>;
  telemetry: Telemetry;
  /** The program's own, where its migrations lie. */
  folder: string;
};
type Origin = {
  service: string;
  /** The runtime, the program, and at most one argument: the command, `serve` by default. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
};

/** What a program does when it is started with the command's name. */
export type Command = (origin: Origin, boot: Boot) => Promise<void>;

const flushTimeoutMs = 300;

/** A command that reads its configuration first, once; whatever stops it is one clear log line and exit code 1. */
export function command<E extends v.ObjectEntries>(
  entries: E,
  run: (started: Started<E>) => void | Promise<void>,
): Command {
  return async ({ service, argv, env }, boot) => {
    let log = createLogger({ service });
    let telemetry: Telemetry | undefined;
    try {
      const config = readConfig({ ...ownEntries, ...entries } as Entries<E>, env);
      log = createLogger({ service, level: config.LOG_LEVEL as string });
      telemetry = createTelemetry({ service, log, boot, config: config as OtelConfig });
      telemetry.endPhase("config");
      await run({ config, telemetry, folder: dirname(argv[1] ?? "") });
    } catch (error) {
      if (error instanceof ConfigError) log.fatal(error.message);
      else log.fatal({ err: error }, error instanceof Error ? error.message : "Cannot start");
      await telemetry?.close();
      await exit(log, 1);
    }
  };
}

/** Runs a function's main: the command that its argument names. */
export async function program(origin: Origin, commands: Readonly<Record<string, Command>>): Promise<void> {
  const boot = createBoot();
  boot.end("modules");
  const name = origin.argv.slice(2).join(" ") || "serve";
  const chosen = Object.hasOwn(commands, name) ? commands[name] : undefined;
  await (chosen ?? unknown(name, commands))(origin, boot);
}

const unknown = (name: string, commands: object) =>
  command({}, () => {
    throw new Error(`Cannot run "${name}": should be one of ${Object.keys(commands).join(", ")}`);
  });

/** Ends the process once the log is written. */
export async function exit(log: Logger, code: number): Promise<never> {
  await flushLog(log, flushTimeoutMs);
  process.removeAllListeners("exit"); // pino's would write what is left, and block for ever where nobody reads
  process.exit(code);
}
