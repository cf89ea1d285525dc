import { describe, type Manifest } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const periodSeconds = 300;

/** Maintenance runs every five minutes, never twice at once, never for longer than its period, and leaves a bounded trail. */
export const cronJobs: Rule = {
  name: "cronjobs",
  check: ({ manifests }) => manifests.filter(({ kind }) => kind === "CronJob").flatMap(faultsOf),
};

function faultsOf(cronJob: Manifest): string[] {
  const spec = cronJob.spec ?? {};
  const isWithin = (value: number | undefined, max: number) => value !== undefined && value > 0 && value < max;
  const faults = [
    spec.schedule !== "*/5 * * * *" && "it does not run every five minutes",
    spec.suspend === true && "it does not run",
    (spec.jobTemplate?.spec.template?.spec.containers ?? []).some(({ args }) => `${args}` !== "settle") &&
      "it does not settle",
    spec.concurrencyPolicy !== "Forbid" && "two runs may overlap",
    !isWithin(spec.startingDeadlineSeconds, periodSeconds) &&
      "a run that was missed is made up for (startingDeadlineSeconds)",
    !isWithin(spec.jobTemplate?.spec.activeDeadlineSeconds, periodSeconds) && "a run may outlast its period",
    !isWithin(spec.successfulJobsHistoryLimit, 10) && "how many runs are kept is not set (successfulJobsHistoryLimit)",
    !isWithin(spec.failedJobsHistoryLimit, 10) && "how many failed runs are kept is not set (failedJobsHistoryLimit)",
  ];
  return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(cronJob)}: ${fault}`);
}
