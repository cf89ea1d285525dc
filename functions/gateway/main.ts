import { createApp } from "@shop/platform/app";
import { createPeer } from "@shop/platform/client";
import { program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";
import { createService } from "./service.ts";

program({ service: "gateway", config, env: process.env }, ({ config, log }) => {
  const service = createService({
    orders: createPeer({ name: "orders", baseUrl: config.ORDER_SERVICE_URL }),
    inventory: createPeer({ name: "inventory", baseUrl: config.INVENTORY_SERVICE_URL }),
    users: createPeer({ name: "users", baseUrl: config.USER_SERVICE_URL }),
  });
  const info = { title: "The shop", description: "The public API of the shop." };
  const app = addRoutes(createApp({ log, info, edge: true, timeoutMs: config.REQUEST_TIMEOUT_MS }), { service });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, log });
});
