import { after, before, describe, it } from "node:test";
import { freezeInventory, freezeOrders } from "../frozen.ts";
import { openScene, type Scene } from "../scene.ts";

const timeoutMs = 10_000;

describe("a peer that is frozen, with the deadline customers get", () => {
  let scene: Scene;
  before(async () => {
    scene = await openScene();
  });
  after(() => scene.close());

  it("inventory frozen: the order is accepted within the deadline and settled later", () =>
    freezeInventory(scene, timeoutMs));

  it("orders frozen: 504 within the deadline, and the retry is one order", () => freezeOrders(scene, timeoutMs));
});
