import { imageName } from "@shop/dev/images";
import { shop } from "@shop/dev/shop";
import { freePort } from "@shop/platform/testing";
import { engine } from "../containers/container.ts";
import { loadAverage } from "./figures.ts";
import { median, middle, shuffled } from "./statistics.ts";
import { firstReply } from "./wake.ts";

type Variant = { name: string; image: string; entrypoint?: string[] };
type Sample = { readyMs: number; rssMb: number };

const rounds = process.argv.includes("--short") ? 2 : 20;
const bun = "/usr/local/bin/bun";
const port = 8080;
const path = "/healthz";

const functions: Variant[] = shop.map(({ name }) => ({ name, image: imageName(name, "bench") }));
/** As little as Bun can do, in an image of the same form. */
const floor: Variant = {
  name: "floor",
  image: imageName("gateway", "bench"),
  entrypoint: [bun, "-e", `Bun.serve({ port: ${port}, fetch: () => new Response("OK") })`],
};
/** None of it is asked for anything. */
const nowhere = "http://127.0.0.1:1";
const env = {
  DATABASE_URL: "postgres://127.0.0.1:1/nowhere",
  ...Object.fromEntries(shop.flatMap(({ peers }) => Object.keys(peers)).map((variable) => [variable, nowhere])),
};

const docker = await engine();
const loadBefore = loadAverage();
console.log(await bytes());
console.log(await starts());

/** What one image is, and what all are where the layers that they share are stored once. */
async function bytes(): Promise<string> {
  const images = await Promise.all(functions.map(async ({ name, image }) => ({ name, layers: await layersOf(image) })));
  const together = new Map(images.flatMap(({ layers }) => layers));
  const sum = (layers: Iterable<[string, number]>) => mb([...layers].reduce((total, [, size]) => total + size, 0));
  return [
    "| image | MB | of which its own |",
    "|---|---|---|",
    ...images.map(({ name, layers }) => `| ${name} | ${sum(layers)} | ${sum(layers.slice(-1))} |`),
    `| all ${images.length} together | ${sum(together)} | |`,
    "",
  ].join("\n");
}

/** Each layer and its size, lowest first. */
async function layersOf(image: string): Promise<[string, number][]> {
  const { RootFS } = await docker.getImage(image).inspect();
  const history: { Size: number }[] = await docker.getImage(image).history();
  const sizes = history
    .map(({ Size }) => Size)
    .filter((size) => size > 0)
    .reverse();
  return (RootFS.Layers ?? []).map((layer, i) => [layer, sizes[i] ?? Number.NaN]);
}

/** From the order to run a container until its first 200, every variant once a round in random order; the first round is not counted. */
async function starts(): Promise<string> {
  const variants = [floor, ...functions];
  const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const variant of shuffled(variants)) {
      const sample = await start(variant);
      if (round > 0) samples.get(variant.name)?.push(sample);
    }
  }
  const base = samples.get(floor.name) ?? [];
  return [
    "| image | run → first 200 × | RSS × | ms | RSS MB |",
    "|---|---|---|---|---|",
    ...[...samples].map(
      ([name, own]) =>
        `| ${name} | ${row(own, base, "readyMs")} | ${row(own, base, "rssMb")} | ${Math.round(median(own.map(({ readyMs }) => readyMs)))} | ${median(own.map(({ rssMb }) => rssMb)).toFixed(1)} |`,
    ),
    "",
    `× is the median of the ratios to the floor (a bare \`Bun.serve\` in the same image) within one of ${rounds} rounds, in brackets their middle half. The engine's own part is in both.`,
    `Load before: ${loadBefore}.`,
  ].join("\n");
}

function row(own: Sample[], base: Sample[], figure: keyof Sample): string {
  const ratios = own.map((one, i) => one[figure] / (base[i]?.[figure] ?? Number.NaN));
  const [low, high] = middle(ratios);
  return `${median(ratios).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

async function start({ image, entrypoint }: Variant): Promise<Sample> {
  const hostPort = await freePort();
  const startMs = performance.now();
  const container = await docker.createContainer({
    Image: image,
    ...(entrypoint && { Entrypoint: entrypoint }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    HostConfig: {
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      PortBindings: { [`${port}/tcp`]: [{ HostIp: "127.0.0.1", HostPort: `${hostPort}` }] },
    },
  });
  try {
    await container.start();
    const { status } = await firstReply(hostPort, path);
    if (status !== 200) throw new Error(`Cannot measure "${image}": it answers ${status}`);
    return { readyMs: performance.now() - startMs, rssMb: await rssMb(container) };
  } finally {
    await container.remove({ force: true });
  }
}

/** Resident memory of the container's program: there is no shell in it, but there is Bun. */
async function rssMb(container: Awaited<ReturnType<typeof docker.createContainer>>): Promise<number> {
  const read = 'console.log(require("node:fs").readFileSync("/proc/1/status", "utf8"))';
  const exec = await container.exec({ Cmd: [bun, "-e", read], AttachStdout: true });
  const stream = await exec.start({});
  const text = await new Response(stream as unknown as ReadableStream).text();
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

function mb(count: number): string {
  return (count / 1e6).toFixed(1);
}
