import { describe, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

const periodSeconds = 300;
/** The controller looks every ten seconds: with less it might find every run too late. */
const startingDeadlineMinSeconds = 10;
/** A run's time begins before its pod is placed and its image pulled. */
const activeDeadlineMinSeconds = 60;

/** Maintenance runs every five minutes, never twice at once, never for longer than its period, and leaves a bounded trail. */
export const cronJobs: Rule = {
  name: "cronjobs",
  check: ({ manifests }) => manifests.filter(({ kind }) => kind === "CronJob").flatMap(faultsOf),
};

function faultsOf(cronJob: Manifest): string[] {
  const spec = cronJob.spec ?? {};
  const run = spec.jobTemplate?.spec;
  const isWithin = (value: number | undefined, min: number, max: number) =>
    value !== undefined && value >= min && value < max;
  const faults = [
    spec.schedule !== "*/5 * * * *" && "it does not run every five minutes",
    (spec.suspend === true || run?.suspend === true) && "it does not run",
    spec.concurrencyPolicy !== "Forbid" && "two runs may overlap",
    [run?.completions, run?.parallelism].some((count) => (count ?? 1) !== 1) && "a run should be one pod",
    run?.backoffLimit !== 0 && "the next run should be the retry (backoffLimit)",
    !isWithin(spec.startingDeadlineSeconds, startingDeadlineMinSeconds, periodSeconds) &&
      "a run that was missed is made up for, or never begun (startingDeadlineSeconds)",
    !isWithin(run?.activeDeadlineSeconds, activeDeadlineMinSeconds, periodSeconds) &&
      "a run may outlast its period, or has no time (activeDeadlineSeconds)",
    !isWithin(spec.successfulJobsHistoryLimit, 1, 10) &&
      "how many runs are kept is not set (successfulJobsHistoryLimit)",
    !isWithin(spec.failedJobsHistoryLimit, 1, 10) &&
      "how many failed runs are kept is not set (failedJobsHistoryLimit)",
  ];
  return refusals(describe(cronJob), faults);
}
