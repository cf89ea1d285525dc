import { freePort } from "@shop/platform/testing";
import type { PhaseTime } from "../../platform/boot.ts";
import { runtimeCommand } from "../shop.ts";
import { busyMs, cpuMs, rssMb } from "./figures.ts";
import { openLoad } from "./load.ts";
import { openCountingSink } from "./sink.ts";
import { shuffled } from "./statistics.ts";
import { variants } from "./variants.ts";
import { stop, wake } from "./wake.ts";

export const runtimes = ["bun", "deno"] as const;
export type Runtime = (typeof runtimes)[number];

export type Plan = {
  /** How often each variant is started. */
  boots: number;
  /** How often each is put under load, for `sliceMs` each, after `warmUpMs`. */
  rounds: number;
  sliceMs: number;
  warmUpMs: number;
  connections: number;
};

export type BootSample = { firstReplyMs: number; importsMs: number; cpuMs: number; rssMb: number };
export type LoadSample = {
  cpuUs: number;
  perSecond: number;
  rssMb: number;
  /** Of one core, while the load ran. */
  clientShare: number;
  /** Of all cores, what neither the client nor the function took. */
  othersShare: number;
};

/** Of each variant one sample a round; the samples of one round belong together. */
export type Samples<T> = ReadonlyMap<string, T[]>;

type Programs = ReadonlyMap<string, string>;

const path = "/hello/world";
const samplesOf = <T>() => new Map<string, T[]>(variants.map(({ name }) => [name, []]));

async function start(runtime: Runtime, programs: Programs, name: string, env: Record<string, string>) {
  const port = await freePort();
  const command = [...runtimeCommand(runtime), programs.get(name) ?? ""] as [string, ...string[]];
  return { port, ...(await wake({ command, env: { ...env, OTEL_SERVICE_NAME: name }, port, path })) };
}

/** Starts every variant once a round, in random order; the first round warms the page cache and is not counted. */
export async function measureBoots(
  runtime: Runtime,
  programs: Programs,
  { boots }: Plan,
): Promise<Samples<BootSample>> {
  const samples = samplesOf<BootSample>();
  const sink = openCountingSink();
  for (let round = 0; round <= boots; round++) {
    for (const { name, env } of shuffled(variants)) {
      const one = await start(runtime, programs, name, env(sink.url));
      const { pid } = one.process;
      const sample = { firstReplyMs: one.totalMs, cpuMs: cpuMs(pid), rssMb: rssMb(pid) };
      const times = (await (await fetch(`http://127.0.0.1:${one.port}/boot`)).json()) as PhaseTime[];
      const imports = times.find(({ phase }) => phase === "modules");
      await stop(one);
      if (round > 0) samples.get(name)?.push({ ...sample, importsMs: imports ? imports.endMs - imports.startMs : NaN });
    }
  }
  await sink.stop();
  return samples;
}

/** Puts every variant under load for a slice each round, in random order, while all others are idle; and the share of spans that arrived. */
export async function measureLoad(runtime: Runtime, programs: Programs, plan: Plan) {
  const samples = samplesOf<LoadSample>();
  const asked = new Map(variants.map(({ name }) => [name, 1])); // the one that woke it
  const arrived = new Map<string, number>();
  const sink = openCountingSink();
  const collect = () => {
    for (const [name, spans] of sink.take()) arrived.set(name, (arrived.get(name) ?? 0) + spans);
  };
  const running = new Map<string, Awaited<ReturnType<typeof start>>>();

  async function slice(name: string, durationMs: number): Promise<LoadSample> {
    const one = running.get(name);
    if (!one) throw new Error(`Cannot measure "${name}": it does not run`);
    const { pid } = one.process;
    using load = await openLoad(one.port, plan.connections);
    const before = { cpu: cpuMs(pid), busy: busyMs(), client: cpuMs(process.pid) };
    const { requests, elapsedMs } = await load.slice(durationMs);
    const used = cpuMs(pid) - before.cpu;
    const client = cpuMs(process.pid) - before.client;
    const others = busyMs() - before.busy - used - client;
    asked.set(name, (asked.get(name) ?? 0) + requests + 1);
    one.lines.length = 0;
    collect();
    return {
      cpuUs: (used * 1000) / requests,
      perSecond: (requests * 1000) / elapsedMs,
      rssMb: rssMb(pid),
      clientShare: client / elapsedMs,
      othersShare: Math.max(0, others) / elapsedMs / navigator.hardwareConcurrency,
    };
  }

  try {
    for (const { name, env } of variants) running.set(name, await start(runtime, programs, name, env(sink.url)));
    for (const { name } of variants) await slice(name, plan.warmUpMs);
    for (let round = 0; round < plan.rounds; round++) {
      for (const { name } of shuffled(variants)) samples.get(name)?.push(await slice(name, plan.sliceMs));
    }
  } finally {
    for (const one of running.values()) await stop(one);
    collect();
    await sink.stop();
  }
  const delivered = new Map([...arrived].map(([name, spans]) => [name, spans / (asked.get(name) ?? 0)]));
  return { samples, delivered };
}
