import { createApp } from "@shop/platform/app";
import { createForwarder } from "@shop/platform/forward";
import { program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";

program({ service: "frontend", config, env: process.env }, ({ config, telemetry }) => {
  const forward = createForwarder({ name: "gateway", baseUrl: config.GATEWAY_URL, metrics: telemetry.metrics });
  const timeoutMs = config.REQUEST_TIMEOUT_MS;
  const app = addRoutes(createApp({ telemetry, position: "outermost", timeoutMs }), { forward });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry });
});
