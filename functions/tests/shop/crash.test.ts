import { after, before, describe, it } from "node:test";
import { crashes, crashOnce, crashUnderLoad } from "../crash.ts";
import { openScene, type Scene } from "../scene.ts";
import { seed } from "../seed.ts";

describe("a crash loses no order and no unit", () => {
  let scene: Scene;
  before(async () => {
    scene = await openScene();
  });
  after(() => scene.close());

  for (const [index, crash] of crashes.entries()) {
    it(`${crash.victim} dies ${crash.dies}`, () => crashOnce(scene, crash, index % 2 === 0 ? "settle" : "retry"));
  }

  it(`orders dies at 10 random moments under load (seed ${seed})`, () =>
    crashUnderLoad(scene, { victim: "orders", rounds: 10, seed }));
});
