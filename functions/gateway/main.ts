import { createApp } from "@shop/platform/app";
import { createPeer } from "@shop/platform/client";
import { command, program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";

const start = command(config, ({ config, telemetry }) => {
  const { metrics } = telemetry;
  const service = createService({
    orders: createPeer({ name: "orders", baseUrl: config.ORDER_SERVICE_URL, metrics }),
    inventory: createPeer({ name: "inventory", baseUrl: config.INVENTORY_SERVICE_URL, metrics }),
    users: createPeer({ name: "users", baseUrl: config.USER_SERVICE_URL, metrics }),
  });
  const info = { title: "The shop", description: "The public API of the shop." };
  const timeoutMs = config.REQUEST_TIMEOUT_MS;
  const app = addRoutes(createApp({ telemetry, info, position: "edge", summary: true, timeoutMs }), { service });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry });
});

program({ service: "gateway", argv: process.argv, env: process.env }, { serve: start });
