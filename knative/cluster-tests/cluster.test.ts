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

/** Ten images, on a machine that has none of their layers. */
const buildTimeoutMs = 900_000;

/** One cluster, so one after the other: each part applies what it needs. */
describe("the shop on Knative", () => {
  const stack = new AsyncDisposableStack();
  let ended: Promise<void> | undefined;
  const end = () => (ended ??= stack.disposeAsync());
  let opened: Stage | undefined;
  const stage = (): Stage => {
    if (!opened) throw new Error("Cannot go on: there is no stage");
    return opened;
  };
  before(
    async () => {
      opened = await openStage(stack);
    },
    { timeout: buildTimeoutMs },
  );
  after(end);
  // Who breaks it off gets the cluster back as well.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, async () => {
      await end().finally(() => process.exit(1));
    });
  }

  applied(stage);
  slept(stage);
  woken(stage);
  counted(stage);
  loaded(stage);
  split(stage);
  broken(stage);
  killed(stage);
});
