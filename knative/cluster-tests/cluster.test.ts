import { after, before, describe } from "node:test";
import { applied } from "./applied.ts";
import { broken } from "./broken.ts";
import { counted } from "./counted.ts";
import { killed } from "./killed.ts";
import { loaded } from "./loaded.ts";
import { slept } from "./slept.ts";
import { split } from "./split.ts";
import { openStage, type Stage } from "./stage.ts";
import { woken } from "./woken.ts";

/** One cluster, so one after the other: each part begins where the one before it ended. */
describe("the shop on Knative", () => {
  let opened: Stage | undefined;
  const stage = (): Stage => {
    if (!opened) throw new Error("Cannot go on: there is no stage");
    return opened;
  };
  before(async () => {
    opened = await openStage();
  });
  after(async () => opened?.[Symbol.asyncDispose]());

  applied(stage);
  slept(stage);
  woken(stage);
  counted(stage);
  loaded(stage);
  split(stage);
  broken(stage);
  killed(stage);
});
