import { fileURLToPath } from "node:url";
import { readConfig } from "@shop/platform/config";
import { applyMigrations } from "@shop/platform/migrate";
import { otelEntries, tracesUrl } from "@shop/platform/otel-config";
import { owners, provision, seed } from "./database.ts";
import { type Flags, parseFlags, usage } from "./flags.ts";
import { describeExit } from "./instance.ts";
import { startMaintenance } from "./maintenance.ts";
import { openMiniature } from "./miniature.ts";
import { banner, createPaint, createPrinter } from "./print.ts";
import { openServer, type Server } from "./server.ts";
import { shop } from "./shop.ts";
import { openTargets, type Targets } from "./targets.ts";
import { watchSources } from "./watch.ts";

const functionsDir = fileURLToPath(new URL("..", import.meta.url));
const maintenanceEveryMs = 60_000;
const sourceQuietMs = 100;
const echoMs = 1_000;

process.stdout.on("error", () => {}); // nobody reads any more, as after a closed terminal: drain all the same

try {
  const flags = parseFlags(process.argv.slice(2), process.env, shop);
  if (flags.help) process.stdout.write(usage);
  else await run(flags);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}

async function run({ functions, windowMs, targetsPort }: Flags): Promise<void> {
  const startedMs = performance.now();
  const interrupted = interruption();
  const traces = tracesUrl(readConfig(otelEntries, process.env)); // what stops every function is better said once, here
  const names = functions.map(({ name }) => name);
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const paint = createPaint(colour);
  const printer = createPrinter({ write: (text) => process.stdout.write(text), paint, names });

  await using closing = new AsyncDisposableStack();
  const databaseUrls = Promise.withResolvers<Record<string, string>>();
  const miniature = await openMiniature({
    functions,
    command: (name) => [process.execPath, `${functionsDir}${name}/main.ts`],
    env: process.env,
    databaseUrls: databaseUrls.promise,
    windowMs,
    onEvent: printer.event,
  });

  let targets: Targets | undefined;
  let server: Server | undefined;
  closing.defer(async () => {
    await miniature.close();
    await targets?.close(); // not earlier: what drains is still to be read
    await server?.close();
  });
  try {
    targets = await openTargets({ port: targetsPort, processes: miniature.processes });
    server = await openServer({ env: process.env });
    const urls = await provision(server.adminUrl);
    for (const { name, migrations } of owners) await applyMigrations(urls[name], migrations);
    await seed(urls);
    databaseUrls.resolve(urls);
  } catch (error) {
    databaseUrls.reject(error);
    throw error;
  }

  closing.defer(
    await watchSources({ folder: functionsDir, functions: names, quietMs: sourceQuietMs, onChange: miniature.renew }),
  );
  const maintenance = startMaintenance({
    command: [process.execPath, `${functionsDir}orders/main.ts`, "settle"],
    env: () => miniature.env("orders"),
    everyMs: maintenanceEveryMs,
    onLine: (line) => printer.event("orders", { type: "line", line }),
    onFailure: (detail) => printer.warn("orders", `Cannot settle "orders": ${detail}`),
  });
  closing.defer(maintenance.stop);
  printer.text(
    banner({
      url: miniature.url,
      databaseUrl: server.adminUrl,
      targetsUrl: targets.url,
      tracesUrl: traces,
      windowMs,
      readyMs: performance.now() - startedMs,
      paint,
    }),
  );

  const exit = await Promise.race([interrupted, server.exited]);
  if (exit) throw new Error(`Cannot go on: PostgreSQL ${describeExit(exit)}`);
  printer.text("\nStopping; again to end at once.\n");
}

/** Resolves at the first Ctrl-C, SIGTERM or closed terminal; a later one ends this process at once, and with it all others. */
function interruption(): Promise<void> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const onSignal = () => {
      if (firstMs === undefined) resolve();
      // One Ctrl-C comes twice: from the terminal, and from `bun run`, which passes on its own.
      else if (performance.now() - firstMs > echoMs) process.exit(130);
      firstMs ??= performance.now();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  });
}
