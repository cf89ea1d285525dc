import { containersOf } from "../manifest.ts";
import { functionOf, type Pod } from "../project.ts";
import { type Build, isProduction, type Rule } from "../rule.ts";

/** An image of ours runs its own program, as it has no shell: a function without an argument, a job with the one that names its work. */
export const programs: Rule = {
  name: "programs",
  check: (build) => build.pods.filter((pod) => functionOf(pod) !== undefined).flatMap((pod) => faultsOf(pod, build)),
};

function faultsOf(pod: Pod, build: Build): string[] {
  const works = worksOf(pod, build);
  return containersOf(pod.spec)
    .filter(({ name }) => name !== "queue-proxy")
    .flatMap(({ name, command, lifecycle, args = [] }) => [
      ...((command ?? lifecycle) ? [`Cannot accept "${name}" of ${pod.of}: its image has nothing else to run`] : []),
      ...(works.includes(args.join(" "))
        ? []
        : [`Cannot accept "${name}" of ${pod.of}: its argument should be ${works.join(" or ") || "none"}`]),
    ]);
}

/** What may be asked of a program; goods and users to play with are for local only. */
function worksOf({ of }: Pod, build: Build): readonly string[] {
  if (of.startsWith("CronJob ")) return ["settle"];
  if (of.startsWith("Job ")) return isProduction(build) ? ["migrate"] : ["migrate", "seed"];
  return [""];
}
