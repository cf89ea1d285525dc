import { createApp } from "@shop/platform/app";
import { port } from "@shop/platform/config";
import { command, program } from "@shop/platform/program";
import { serve } from "@shop/platform/serve";

/** The smallest function: no database, no peer. */
const start = command({ PORT: port(3000) }, ({ config, telemetry }) => {
  const app = createApp({ telemetry });
  app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name") }));
  app.get("/boot", (c) => c.json(telemetry.boot.times));
  serve({ fetch: app.fetch, host: config.HOST, port: config.PORT, telemetry });
});

program({ service: "hello", argv: process.argv, env: process.env }, { serve: start });
