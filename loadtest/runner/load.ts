import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const folder = fileURLToPath(new URL("..", import.meta.url));
const scenarios = ["smoke", "ramp", "herd", "cold"];

const usage = `Puts load on a shop, with k6 where it is on PATH, else with the project's own runner of k6 scripts.

  bun run load <scenario> [options] [-- <options of k6 run>]

  smoke                one customer: does everything answer as it should?
  ramp                 1 to 200 requests/s, then held there
  herd                 200 clients at once, at a shop that sleeps
  cold                 again and again: waits until the shop sleeps, then one order

  --target <url>       the gateway or the frontend (http://127.0.0.1:8000), as does TARGET
  --host <name>        the Host header, where an ingress's address stands for many names, as does HOST
  --summary <file>     writes the figures as JSON too
  --help               this text

The scenarios' own variables stand in loadtest/README.md, such as RATE=50 or -- -e RATE=50.
`;

type Engine = { name: string; command: string[] };

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}

async function main(args: string[]): Promise<number> {
  const split = args.includes("--") ? args.indexOf("--") : args.length;
  const { values, positionals } = parseArgs({
    args: args.slice(0, split),
    allowPositionals: true,
    options: {
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
  if (!scenarios.includes(scenario) || more.length > 0) {
    throw new Error(`Cannot load "${positionals.join(" ")}": should be one of ${scenarios.join(", ")}`);
  }
  const env = {
    ...(values.target !== undefined && { TARGET: readTarget(values.target) }),
    ...(values.host !== undefined && { HOST: values.host }),
    ...(values.summary !== undefined && { SUMMARY: resolve(values.summary) }),
  };
  const { name, command } = chooseEngine();
  const given = { ...process.env, ...env };
  const whither = `${given.TARGET || "http://127.0.0.1:8000"}${given.HOST ? ` (Host: ${given.HOST})` : ""}`;
  process.stderr.write(`${scenario} at ${whither}, with ${name}\n`);
  const variables = Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  return run([...command, ...variables, ...args.slice(split + 1), `${folder}${scenario}.ts`]);
}

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

/** Runs it to its end. Ctrl-C reaches it from the terminal; any other signal it gets from us. */
async function run(command: string[]): Promise<number> {
  const child = Bun.spawn(command, { stdio: ["inherit", "inherit", "inherit"] });
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return await child.exited;
}
