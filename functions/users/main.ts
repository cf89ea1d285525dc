import { createApp } from "@shop/platform/app";
import { createDatabase } from "@shop/platform/database";
import { migrate, seed } from "@shop/platform/owner";
import { command, program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";
import { createStore } from "./store.postgres.ts";

const start = command(config, ({ config, telemetry }) => {
  const { log, metrics } = telemetry;
  const database = createDatabase({ url: config.DATABASE_URL, log, connectionsMax: config.DATABASE_CONNECTIONS_MAX });
  const service = createService({ store: createStore(database), metrics });
  const info = { title: "users", description: "The people the shop knows by name." };
  const app = addRoutes(createApp({ telemetry, info }), { service });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry, close: database.close });
});

program({ service: "users", argv: process.argv, env: process.env }, { serve: start, migrate, seed });
