import type * as v from "valibot";
import { createBoot } from "./boot.ts";
import { ConfigError, platformEntries, readConfig } from "./config.ts";
import { createLogger, flushLog, type Logger } from "./log.ts";
import { type OtelConfig, otelEntries } from "./otel-config.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";

const ownEntries = { ...platformEntries, ...otelEntries };

type Entries<E extends v.ObjectEntries> = E & typeof ownEntries;
type Program<E extends v.ObjectEntries> = {
  service: string;
  config: E;
  env: Record<string, string | undefined>;
};
type Started<E extends v.ObjectEntries> = {
  config: Readonly<v.InferOutput<v.ObjectSchema<Entries<E>, undefined>>>;
  telemetry: Telemetry;
};

const flushTimeoutMs = 300;

/** Runs a function's main: configuration first, read once; whatever stops it is one clear log line and exit code 1. */
export async function program<E extends v.ObjectEntries>(
  { service, config: entries, env }: Program<E>,
  main: (started: Started<E>) => void | Promise<void>,
): Promise<void> {
  const boot = createBoot();
  boot.end("modules");
  let log = createLogger({ service });
  let telemetry: Telemetry | undefined;
  try {
    const config = readConfig({ ...ownEntries, ...entries } as Entries<E>, env);
    log = createLogger({ service, level: config.LOG_LEVEL as string });
    telemetry = createTelemetry({ service, log, boot, config: config as OtelConfig });
    telemetry.endPhase("config");
    await main({ config, telemetry });
  } catch (error) {
    if (error instanceof ConfigError) log.fatal(error.message);
    else log.fatal({ err: error }, error instanceof Error ? error.message : "Cannot start");
    await telemetry?.close();
    await exit(log, 1);
  }
}

/** Ends the process once the log is written. */
export async function exit(log: Logger, code: number): Promise<never> {
  await flushLog(log, flushTimeoutMs);
  process.removeAllListeners("exit"); // pino's would write what is left, and block for ever where nobody reads
  process.exit(code);
}
