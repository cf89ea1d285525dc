import { createApp } from "@shop/platform/app";
import { backgroundCall } from "@shop/platform/call";
import { createPeer } from "@shop/platform/client";
import { createDatabase } from "@shop/platform/database";
import { migrate } from "@shop/platform/owner";
import { command, exit, program, type Started } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";

const settleStepTimeoutMs = 5_000;

function open(started: Started<typeof config>) {
  const { config, telemetry } = started;
  const { log, metrics } = telemetry;
  const database = createDatabase({ url: config.DATABASE_URL, log, connectionsMax: config.DATABASE_CONNECTIONS_MAX });
  const inventory = createPeer({ name: "inventory", baseUrl: config.INVENTORY_SERVICE_URL, metrics });
  return { database, service: createService({ store: createStore(database), inventory, metrics }) };
}

const start = command(config, (started) => {
  const { config, telemetry } = started;
  const { database, service } = open(started);
  const info = { title: "orders", description: "Orders: placed once, settled once, kept for ever." };
  const app = addRoutes(createApp({ telemetry, info }), { service });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry, close: database.close });
});

const settle = command(config, async (started) => {
  const { telemetry } = started;
  const { service } = open(started);
  const step = { telemetry, name: "settle", timeoutMs: settleStepTimeoutMs };
  const count = await service.settle((work) => backgroundCall(step, work));
  const spans = await telemetry.close();
  if (count.settled + count.failed > 0) telemetry.log.info({ ...count, ...spans }, "settle");
  return exit(telemetry.log, count.failed === 0 ? 0 : 1);
});

program({ service: "orders", argv: process.argv, env: process.env }, { serve: start, settle, migrate });
