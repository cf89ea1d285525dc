import { parseArgs } from "node:util";
import type { ShopFunction } from "./shop.ts";

export interface Flags {
  help: boolean;
  windowMs: number;
  targetsPort: number;
  functions: ShopFunction[];
}

export const usage = `Runs the shop on this machine: each function sleeps until somebody asks for it.

  bun run dev [options]

  --window <duration>          how long a function stays awake after its last reply, such as 500ms, 5s, 2m (60s)
  --always-on                  let no function sleep again once it is awake
  --port <function>=<number>   another port for a function, as does the variable <FUNCTION>_PORT
  --port targets=<number>      another port for /targets, Prometheus' list of the processes to read (9900), as does TARGETS_PORT
  --help                       this text

  DATABASE_URL                 use this PostgreSQL server instead of one of the project's own
  SHOP_DATA_DIR                where the project's own server keeps its data (.data/postgres)
  OTEL_EXPORTER_OTLP_ENDPOINT  the collector that gets the functions' traces (OTLP over HTTP, such as http://127.0.0.1:4318)
`;

const targets = { name: "targets", port: 9900 };

/** Reads the command line; throws with one clear line for what cannot be read. */
export function parseFlags(
  args: string[],
  env: Readonly<Record<string, string | undefined>>,
  functions: readonly ShopFunction[],
): Flags {
  const { values } = parseArgs({
    args,
    options: {
      window: { type: "string", default: "60s" },
      "always-on": { type: "boolean", default: false },
      port: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const ports = new Map(
    [...functions, targets].map(({ name, port }) => [name, env[`${name.toUpperCase()}_PORT`] || `${port}`]),
  );
  for (const pair of values.port) {
    const [name = "", port = ""] = pair.split("=");
    if (!ports.has(name)) throw new Error(`Cannot set the port "${pair}": no function "${name}"`);
    ports.set(name, port);
  }
  const portOf = (name: string) => parsePort(name, ports.get(name) ?? "");
  return {
    help: values.help,
    windowMs: values["always-on"] ? Number.POSITIVE_INFINITY : parseDuration(values.window),
    targetsPort: portOf(targets.name),
    functions: functions.map((one) => ({ ...one, port: portOf(one.name) })),
  };
}

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000 };
const windowMaxMs = 24 * 60 * 60_000;

function parseDuration(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9})(ms|s|m)$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit] ?? Number.NaN);
  if (ms >= 1 && ms <= windowMaxMs) return ms;
  throw new Error(`Cannot read the window "${text}": should be a duration from 1ms to 1440m, such as 500ms, 5s or 2m`);
}

function parsePort(name: string, text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new Error(`Cannot read the port "${text}" of ${name}: should be an integer from 0 to 65535`);
}
