import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BunPlugin } from "bun";

/** A part of telemetry that can be left out; `frame` is what the others share: the middleware that takes a request's figures. */
export type Part = "frame" | "metrics" | "log" | "spans";

export type Variant = {
  name: string;
  parts: readonly Part[];
  /** What its process gets besides; `sink` is a collector's URL. */
  env: (sink: string) => Record<string, string>;
};

const nothing = () => ({});
const unsampled = (sink: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: sink, OTEL_TRACES_SAMPLER: "always_off" });
const sampled = (sink: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: sink });

/** The first is the reference of all others. */
export const variants: readonly Variant[] = [
  { name: "no telemetry", parts: [], env: nothing },
  { name: "frame alone", parts: ["frame"], env: nothing },
  { name: "frame + metrics", parts: ["frame", "metrics"], env: nothing },
  { name: "frame + log", parts: ["frame", "log"], env: nothing },
  { name: "frame + spans, not sampled", parts: ["frame", "spans"], env: unsampled },
  { name: "frame + spans, sampled", parts: ["frame", "spans"], env: sampled },
  { name: "all, not sampled", parts: ["frame", "metrics", "log", "spans"], env: unsampled },
  { name: "all, sampled", parts: ["frame", "metrics", "log", "spans"], env: sampled },
];

/** Which modules of the platform, or packages, a part consists of, and what stands in for each where it is left out. */
const standIns: Record<Part, Record<string, string>> = {
  frame: { "./observe.ts": "observe.ts" },
  metrics: { "./metrics.ts": "metrics.ts", "@hono/prometheus": "prometheus.ts" },
  log: { "./log.ts": "log.ts" },
  spans: { "./tracing.ts": "tracing.ts", "./trace.ts": "trace.ts", "./otel-config.ts": "otel-config.ts" },
};

const here = fileURLToPath(new URL(".", import.meta.url));
const platform = fileURLToPath(new URL("../../platform/", import.meta.url));

export type Bundle = { program: string /** The path of every module in it. */; modules: string[] };

/** Bundles the smallest function with some parts only, as `functions/dev/bundle-all.ts` does the others. */
export async function build({ parts }: Pick<Variant, "parts">, folder: string): Promise<Bundle> {
  const { metafile } = await Bun.build({
    entrypoints: [join(here, "hello.ts")],
    outdir: folder,
    target: "node",
    format: "esm",
    splitting: true,
    minify: true,
    metafile: true,
    plugins: [leaveOut((Object.keys(standIns) as Part[]).filter((part) => !parts.includes(part)))],
  });
  return { program: join(folder, "hello.js"), modules: Object.keys(metafile?.inputs ?? {}) };
}

function leaveOut(parts: Part[]): BunPlugin {
  const replaced = Object.assign({}, ...parts.map((part) => standIns[part])) as Record<string, string>;
  return {
    name: `without ${parts.join(", ")}`,
    setup(bundler) {
      bundler.onResolve({ filter: /^(\.\/[\w-]+\.ts|@hono\/prometheus)$/ }, ({ path, importer }) => {
        const standIn = importer === join(platform, basename(importer)) ? replaced[path] : undefined;
        return standIn === undefined ? undefined : { path: join(here, "stand-ins", standIn) };
      });
    },
  };
}
