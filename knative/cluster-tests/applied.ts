import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connected } from "@shop/platform/migrate";
import type { Meta } from "./api.ts";
import { openDatabases } from "./database.ts";
import { names, namespace } from "./environment.ts";
import { laterMigration } from "./later.ts";
import { paths, placeOrder, send } from "./routes.ts";
import { apply, type Stage } from "./stage.ts";
import { revisionsOf } from "./state.ts";

const owners = ["inventory", "orders", "users"] as const;

export function applied(stage: () => Stage): void {
  describe("applied once", () => {
    let orderId = "";

    it("is Ready, all five, their data migrated, as the manifests say; page and order come through the ingress", async () => {
      const { environment, routes, tags, say } = stage();
      await environment.setTag(tags[0]);
      await apply(stage());
      say("all are Ready");
      const page = await routes.ask("frontend", "/");
      assert.equal(page.status, 200);
      assert.match(page.text, /<title>/);
      const order = await placeOrder(routes, "frontend");
      assert.equal(order.status, 201, order.text);
      orderId = JSON.parse(order.text).orderId;
      const stock = await routes.ask("gateway", "/api/inventory");
      assert.deepEqual(Object.keys(JSON.parse(stock.text)).sort(), ["item1", "item2", "item3"]);
      assert.equal(await environment.diff(), "");
    });

    it("shows the public two functions and nothing of the rest", async () => {
      const { routes } = stage();
      for (const name of owners) {
        const host = await routes.hostOf(name);
        assert.match(host, /\.svc\.cluster\.local$/);
        for (const path of ["/readyz", paths[name]])
          assert.equal((await send(`${routes.url}${path}`, host)).status, 404);
      }
      for (const name of ["frontend", "gateway"]) assert.equal((await routes.ask(name, "/metrics")).status, 404);
    });

    it("takes new images by a second apply: new revisions, migrations of their own, the data kept", async () => {
      const { api, environment, routes, tags, say } = stage();
      const before = await revisionsOf(api);
      await environment.setTag(tags[1]);
      await apply(stage());
      say("new images are Ready");
      const after = await revisionsOf(api);
      for (const name of names) assert.notEqual(after[name], before[name], name);
      const jobs = await api.list<{ metadata: Meta }>(`/apis/batch/v1/namespaces/${namespace}/jobs`);
      for (const owner of owners) {
        assert.ok(
          jobs.some(({ metadata }) => metadata.name === `${owner}-migrate-${tags[1]}`),
          owner,
        );
      }
      await using databases = await openDatabases();
      const { rows } = await connected(databases.urlOf("users"), (client) =>
        client.query("select name from migrations"),
      );
      assert.deepEqual(
        rows.map(({ name }) => name),
        ["001_users", laterMigration],
      );
      assert.equal((await routes.ask("gateway", `/api/orders/${orderId}`)).status, 200);
      assert.equal(await environment.diff(), "");
    });
  });
}
