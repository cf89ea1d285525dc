import { databaseProblems, input, operation } from "@shop/platform/api";
import type { App } from "@shop/platform/app";
import * as v from "valibot";
import { User, UserId, Users } from "./contract.ts";
import type { Service } from "./service.ts";

export function addRoutes(app: App, { service }: { service: Service }): App {
  app.get(
    "/users",
    operation({ summary: "All users", answers: { 200: Users }, problems: databaseProblems }),
    async (c) => c.json(await service.users(c.var.call)),
  );

  app.get(
    "/users/:id",
    operation({
      summary: "One user",
      answers: { 200: User },
      problems: ["invalid", "not_found", ...databaseProblems],
    }),
    input("param", v.object({ id: UserId })),
    async (c) => c.json(await service.user(Number(c.req.valid("param").id), c.var.call)),
  );

  return app;
}
