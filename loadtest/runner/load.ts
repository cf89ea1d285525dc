import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readVariables } from "./variables.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** The variables that each scenario reads, with their defaults. */
const variables = {
  smoke: {},
  ramp: { RATE: 200, RAMP_SECONDS: 120, HOLD_SECONDS: 60, ORDERS_SHARE: 0.2, P95_MS: 500, VUS_MAX: 1_000 },
  herd: { CLIENTS: 200, IDLE_SECONDS: 150 },
  cold: { WAKES: 5, IDLE_SECONDS: 150, P95_MS: 5_000 },
};

type Scenario = keyof typeof variables;

const isScenario = (name: string): name is Scenario => Object.hasOwn(variables, name);

const defaults = (scenario: Scenario): string =>
  Object.entries(variables[scenario])
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

const usage = `Puts load on a shop, with k6 where it is on PATH, else with the project's own runner of k6 scripts.

  bun run load <scenario> [options] [-- <options of k6 run>]

  smoke                one customer: does everything answer as it should?
  ramp                 1 to RATE requests/s, then held there
                       ${defaults("ramp")}
  herd                 CLIENTS orders at once, at a shop that sleeps
                       ${defaults("herd")}
  cold                 WAKES times: waits until the shop sleeps, then one order
                       ${defaults("cold")}

  -e <NAME=value>      sets a variable of the scenario, as does the environment; above are the defaults
  --target <url>       the gateway or the frontend (http://127.0.0.1:8000), as does TARGET
  --host <name>        the Host header, where an ingress's address stands for many names, as does HOST
  --summary <file>     writes the figures as JSON too, as does SUMMARY
  --help               this text

What each scenario asks stands in loadtest/README.md.
`;

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  const message = (error as Error).message.replace(/\. To specify a positional .*/, ""); // after "--" comes what is k6's
  process.stderr.write(`${message}\nbun run load --help says what there is.\n`);
  process.exit(1);
}

async function main(args: string[]): Promise<number> {
  const split = args.includes("--") ? args.indexOf("--") : args.length;
  const { values, positionals } = parseArgs({
    args: args.slice(0, split),
    allowPositionals: true,
    options: {
      env: { type: "string", short: "e", multiple: true, default: [] },
      target: { type: "string" },
      host: { type: "string" },
      summary: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [scenario = "", ...more] = positionals;
  if (!isScenario(scenario) || more.length > 0) {
    throw new Error(`Cannot load "${positionals.join(" ")}": should be one of ${Object.keys(variables).join(", ")}`);
  }
  const env = {
    ...knownVariables(scenario, values.env),
    ...(values.target !== undefined && { TARGET: readTarget(values.target) }),
    ...(values.host !== undefined && { HOST: values.host }),
    ...(values.summary !== undefined && { SUMMARY: values.summary }),
  };
  const { name, command } = chooseEngine();
  const given = { ...process.env, ...env };
  const whither = `${given.TARGET || "http://127.0.0.1:8000"}${given.HOST ? ` (Host: ${given.HOST})` : ""}`;
  process.stderr.write(`${scenario} at ${whither}, with ${name}\n`);
  const pairs = Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  return run([...command, ...pairs, ...args.slice(split + 1), `${folder}${scenario}.ts`]);
}

/** What `-e` sets; what the scenario does not read would change nothing, and nobody would notice. */
function knownVariables(scenario: Scenario, pairs: string[]): Record<string, string> {
  const known = [...Object.keys(variables[scenario]), "TARGET", "HOST", "SUMMARY"];
  const given = readVariables(pairs);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`Cannot set "${unknown}": ${scenario} reads ${known.join(", ")}`);
  return given;
}

type Engine = { name: string; command: string[] };

function chooseEngine(): Engine {
  const k6 = Bun.which("k6");
  if (!k6) return { name: "the project's runner", command: [process.execPath, `${folder}runner/main.ts`, "run"] };
  // The figures that the scripts read; another form of them is to become k6's default.
  return { name: k6, command: [k6, "run", "--new-machine-readable-summary=false"] };
}

function readTarget(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.search === "") return url.origin;
  throw new Error(`Cannot load the target "${text}": should be the address of a shop, such as http://127.0.0.1:8000`);
}

/** Runs it to its end. At a terminal Ctrl-C reaches it by itself, and twice is too often for k6; all else it gets from us. */
async function run(command: string[]): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY) || child.kill(signal));
  }
  const child = Bun.spawn(command, { stdio: ["inherit", "inherit", "inherit"] });
  return await child.exited;
}
