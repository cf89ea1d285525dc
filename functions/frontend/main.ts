import { createApp } from "@shop/platform/app";
import { createForwarder } from "@shop/platform/forward";
import { command, program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";
import { config } from "./config.ts";
import { addRoutes } from "./routes.ts";

const start = command(config, ({ config, telemetry }) => {
  const forward = createForwarder({ name: "gateway", baseUrl: config.GATEWAY_URL, metrics: telemetry.metrics });
  const timeoutMs = config.REQUEST_TIMEOUT_MS;
  const app = addRoutes(createApp({ telemetry, position: "outermost", timeoutMs }), { forward });
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry });
});

program({ service: "frontend", argv: process.argv, env: process.env }, { serve: start });
