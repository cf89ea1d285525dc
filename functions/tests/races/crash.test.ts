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

  for (const crash of crashes) {
    for (const first of ["settle", "retry"] as const) {
      it(`${crash.victim} dies ${crash.dies}, then ${first}`, () => crashOnce(scene, crash, first));
    }
  }

  it(`orders dies at 100 random moments under load (seed ${seed})`, () =>
    crashUnderLoad(scene, { victim: "orders", rounds: 100, seed }));

  it(`inventory dies at 30 random moments under load (seed ${seed})`, () =>
    crashUnderLoad(scene, { victim: "inventory", rounds: 30, seed }));
});
