import { createApp } from "@shop/platform/app";
import { backgroundCall } from "@shop/platform/call";
import { createPeer } from "@shop/platform/client";
import { createDatabase } from "@shop/platform/database";
import { exit, program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";

const settleStepTimeoutMs = 5_000;

program({ service: "orders", config, env: process.env }, async ({ config, telemetry }) => {
  const { log, metrics } = telemetry;
  const database = createDatabase({ url: config.DATABASE_URL, log, connectionsMax: config.DATABASE_CONNECTIONS_MAX });
  const inventory = createPeer({ name: "inventory", baseUrl: config.INVENTORY_SERVICE_URL, metrics });
  const service = createService({ store: createStore(database), inventory, metrics });

  const command = process.argv[2] ?? "serve";
  if (command === "settle") {
    const step = { telemetry, name: "settle", timeoutMs: settleStepTimeoutMs };
    const count = await service.settle((work) => backgroundCall(step, work));
    const spans = await telemetry.close();
    if (count.settled + count.failed > 0) log.info({ ...count, ...spans }, "settle");
    return exit(log, count.failed === 0 ? 0 : 1);
  }
  if (command !== "serve") throw new Error(`Cannot run "${command}": should be serve or settle`);

  const info = { title: "orders", description: "Orders: placed once, settled once, kept for ever." };
  const app = addRoutes(createApp({ telemetry, info }), { service });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry, close: database.close });
});
