import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { startProcess } from "@shop/dev/process";
import { eventually } from "@shop/platform/testing";

/** The programs of the stack, and the images they come in where they are not on PATH. */
const programs = {
  prometheus: { binary: "prometheus", image: "prom/prometheus:v3.14.0", entrypoint: "/bin/prometheus" },
  jaeger: { binary: "jaeger", image: "jaegertracing/jaeger:2.20.0", entrypoint: "/cmd/jaeger/jaeger-linux" },
  collector: {
    binary: "otelcol",
    image: "otel/opentelemetry-collector-k8s:0.160.0",
    entrypoint: "/otelcol-k8s",
  },
} as const;

export type ProgramName = keyof typeof programs;

type ProgramOptions = {
  /** Configuration files by name; `args` gets the folder they are in. */
  files: Record<string, string>;
  args: (folder: string) => string[];
  /** Answers 200 once the program is up. */
  readyUrl: string;
};

export type Program = AsyncDisposable & {
  /** What it has written. */
  lines: string[];
};

const readyTimeoutMs = 60_000;

/** Starts a real program of the stack: from PATH, else in a container on the host's network. Throws when there is neither. */
export async function startProgram(name: ProgramName, options: ProgramOptions): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), `shop-${name}-`));
  const lines: string[] = [];
  for (const [file, text] of Object.entries(options.files)) await writeFile(join(folder, file), text, { mode: 0o644 });
  const path = onPath(programs[name].binary);
  const running = path
    ? runProcess(path, options.args(folder), lines)
    : await runContainer(name, folder, options, lines);
  const program = {
    lines,
    async [Symbol.asyncDispose]() {
      await running.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await eventually(`${name} is up`, () => answers(options.readyUrl), readyTimeoutMs);
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw new Error(`Cannot start "${name}": ${lines.slice(-5).join("\n")}`, { cause: error });
  }
  return program;
}

function runProcess(path: string, args: string[], lines: string[]) {
  const running = startProcess({
    command: [path, ...args],
    orphanSignal: "SIGKILL",
    onLine: (line) => lines.push(line),
  });
  return {
    async stop() {
      running.signal("SIGTERM");
      await running.exited;
    },
  };
}

async function runContainer(name: ProgramName, folder: string, { args, files }: ProgramOptions, lines: string[]) {
  const { image, entrypoint } = programs[name];
  const { GenericContainer } = await import("testcontainers");
  const inside = "/tmp/shop";
  const container = await new GenericContainer(image)
    .withNetworkMode("host")
    .withUser("0:0") // who copies files into a container is root, and one program keeps its data beside them
    .withEntrypoint([entrypoint])
    .withCommand(args(inside))
    .withCopyFilesToContainer(
      Object.keys(files).map((file) => ({ source: join(folder, file), target: `${inside}/${file}`, mode: 0o644 })),
    )
    .withLogConsumer((stream) => void stream.on("data", (line) => lines.push(`${line}`)))
    .start()
    .catch((cause) => {
      const needs = `"${programs[name].binary}" on PATH, or a Docker engine with ${image}`;
      throw new Error(`Cannot run the stack: needs ${needs}`, { cause });
    });
  return { stop: () => container.stop() };
}

function onPath(binary: string): string | undefined {
  const candidates = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, binary));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const answers = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
