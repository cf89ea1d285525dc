import { buildCommand, buildImage, pushImage, words } from "@shop/dev/images";
import { pushCommand } from "../tools/cluster.ts";
import { type Api, openApi } from "./api.ts";
import { keepContext } from "./context.ts";
import { type Change, copyEnvironment, type Environment, names } from "./environment.ts";
import { addMigration } from "./later.ts";
import { followPods, type Pods } from "./pods.ts";
import { openRoutes, type Routes } from "./routes.ts";
import { allReady } from "./state.ts";

/** The shop on a real cluster, and all that the suite sees of it. */
export type Stage = {
  readonly api: Api;
  readonly environment: Environment;
  readonly pods: Pods;
  readonly routes: Routes;
  /** The tags of two images of each function; the second of users has a migration more. */
  readonly tags: readonly [string, string];
  say(text: string): void;
};

/** So that a function sleeps soon after its last request: its load counts over this window, and nothing is kept beyond it. */
export const windowOf = (window: string): Change[] =>
  Object.entries({ window, "scale-down-delay": "0s" }).map(([key, value]) => ({
    op: "replace",
    path: `/spec/template/metadata/annotations/autoscaling.knative.dev~1${key}`,
    value,
  }));

/** The shortest window there is. */
export const lightSleep: readonly Change[] = windowOf("6s");

const readyTimeoutMs = 240_000;

/** Builds the images of two versions and brings them to the cluster; nothing is applied yet. The stack takes all of it back. */
export async function openStage(stack: AsyncDisposableStack): Promise<Stage> {
  const startMs = Date.now();
  const say = (text: string) => console.log(`  ${((Date.now() - startMs) / 1_000).toFixed(0).padStart(4)} s  ${text}`);
  stack.use(await keepContext());
  const api = stack.use(await openApi());
  const environment = stack.use(await copyEnvironment());
  const build = words(buildCommand());
  const push = words(process.env.CLUSTER_PUSH || pushCommand);
  const unique = startMs.toString(36);
  const tags = [`${unique}a`, `${unique}b`] as const;
  for (const tag of tags) {
    for (const name of names) {
      const image = buildImage(name, { tag, command: [...build, "--quiet"] });
      if (name === "users" && tag === tags[1]) await addMigration(image, build);
      pushImage(image, push);
    }
    say(`images ${tag} are on the cluster`);
  }
  stack.defer(async () => {
    say("the cluster is cleaned");
    await environment.remove();
  });
  const pods = stack.use(await followPods(api));
  const { CLUSTER_PUBLIC_URL: publicUrl, CLUSTER_INTERNAL_URL: internalUrl } = process.env;
  const routes = stack.use(await openRoutes({ api, publicUrl, internalUrl }));
  return { api, environment, pods, routes, tags, say };
}

/** Applies the environment with changes, and waits until that serves. */
export async function apply({ api, environment }: Stage, changes: readonly Change[] = []): Promise<void> {
  await environment.apply(changes);
  await allReady(api, readyTimeoutMs);
}
