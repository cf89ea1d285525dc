import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { BootSample, LoadSample, Plan, Runtime, Samples } from "./measure.ts";
import { median, middle } from "./statistics.ts";
import { variants } from "./variants.ts";

export type Measured = {
  runtime: Runtime;
  boots: Samples<BootSample>;
  load: Samples<LoadSample>;
  /** Which share of the spans arrived, for the variants that make any. */
  delivered: ReadonlyMap<string, number>;
};

type About = { plan: Plan; versions: Record<string, string> };

/** Above this share of all cores the machine was at work for somebody else meanwhile. */
const othersMax = 0.1;

const reference = variants[0]?.name ?? "";
const catalogUrl = new URL("../../../package.json", import.meta.url);

/** The whole report, in Markdown. */
export function write(all: Measured[], about: About): string {
  return `${[head, ...machine(all, about), ...all.flatMap(section)].join("\n")}\n`;
}

const head = `<!-- Written by \`bun run bench:telemetry\`. -->
# What telemetry costs

The smallest function of the shop (no database, no peer, one route) with some parts of telemetry only, each against the same function
without any: \`×\` is the median of the ratios within one round, in brackets their middle half. Absolute figures are context.
What is left out is replaced when the function is bundled (\`variants.ts\`), so it is not even imported; all else is the product's own code.
The *frame* is the middleware that takes a request's figures and gives them to the parts; it stands in every row but the first. Every request
comes in a sampled trace; *not sampled* is \`OTEL_TRACES_SAMPLER=always_off\`, *sampled* sends every span to a collector that takes all.
`;

function machine(all: Measured[], { plan, versions }: About): string[] {
  const samples = all.flatMap(({ load }) => [...load.values()].flat());
  const mean = (of: number[]) => of.reduce((sum, one) => sum + one, 0) / of.length;
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const others = mean(samples.map(({ othersShare }) => othersShare));
  const busy = `**The machine was busy (others took ${percent(others)}): run it again.**`;
  return [
    `- ${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `- ${plan.boots} starts; ${plan.rounds} slices of ${plan.sliceMs} ms over ${plan.connections} connections after ${plan.warmUpMs} ms; all in random order`,
    `- on average others took ${percent(others)} of all cores, the client ${percent(mean(samples.map(({ clientShare }) => clientShare)))} of one`,
    ...(others < othersMax ? [] : ["", busy]),
    "",
  ];
}

function section({ runtime, boots, load, delivered }: Measured): string[] {
  const sent = (name: string) => {
    const share = delivered.get(name);
    return share === undefined ? "none" : `${(share * 100).toFixed(1)} %`;
  };
  return [
    `## ${runtime}: a start`,
    "",
    "| variant | spawn → first 200 × | imports × | CPU × | RSS × | ms | imports ms | CPU ms | RSS MB |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows(boots, ["firstReplyMs", "importsMs", "cpuMs", "rssMb"]),
    "",
    `## ${runtime}: a request`,
    "",
    "| variant | CPU × | requests/s × | RSS × | CPU µs | requests/s | RSS MB | spans delivered |",
    "|---|---|---|---|---|---|---|---|",
    ...rows(load, ["cpuUs", "perSecond", "rssMb"]).map((row, i) => `${row} ${sent(variants[i]?.name ?? "")} |`),
    "",
  ];
}

function rows<T extends Record<string, number>>(samples: Samples<T>, figures: (keyof T)[]): string[] {
  const bases = samples.get(reference) ?? [];
  return variants.map(({ name }) => {
    const own = samples.get(name) ?? [];
    const ratios = figures.map((figure) =>
      ratio(own.map((one, i) => Number(one[figure]) / Number(bases[i]?.[figure]))),
    );
    const medians = figures.map((figure) => absolute(median(own.map((one) => one[figure] as number))));
    return `| ${name} | ${[...ratios, ...medians].join(" | ")} |`;
  });
}

function ratio(values: number[]): string {
  const [low, high] = middle(values);
  return `${median(values).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

const absolute = (value: number) => (value >= 1000 ? Math.round(value).toString() : value.toPrecision(3));

/** Of the runtimes, and of the packages that telemetry is made of. */
export function versionsOf(deno: string): Record<string, string> {
  const { workspaces } = JSON.parse(readFileSync(catalogUrl, "utf8")) as {
    workspaces: { catalog: Record<string, string> };
  };
  const packages = ["hono", "pino", "prom-client", "@hono/prometheus", "@opentelemetry/sdk-trace-base"];
  return {
    Bun: Bun.version,
    Deno: deno,
    ...Object.fromEntries(packages.map((name) => [name, workspaces.catalog[name] ?? "?"])),
  };
}
