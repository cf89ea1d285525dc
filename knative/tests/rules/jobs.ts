import { describe, type Manifest, nameLabel } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

/** A migration that finds no database tries again for about this long. */
const waitMinSeconds = 600;

/** A Job's name is its image's: a new image makes a new Job, as a changed template of the old one is refused. It stays, so that it runs once. */
export const jobs: Rule = {
  name: "jobs",
  check: ({ manifests }) => manifests.filter(({ kind }) => kind === "Job").flatMap(faultsOf),
};

function faultsOf(job: Manifest): string[] {
  const [container] = job.spec?.template?.spec.containers ?? [];
  const tag = /:([^:@/]+)(@|$)/.exec(container?.image ?? "")?.[1];
  const name = `${nameLabel(job.metadata.labels)}-${container?.args?.join("-")}-${tag}`;
  const faults = [
    job.metadata.name !== name && `should be named "${name}", after its image`,
    !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(job.metadata.name) && "its name is not a DNS label",
    job.spec?.suspend === true && "it does not run",
    [job.spec?.completions, job.spec?.parallelism].some((count) => (count ?? 1) !== 1) && "it should run once",
    job.spec?.ttlSecondsAfterFinished !== undefined && "it goes away by itself, and would run again",
    !(Number(job.spec?.backoffLimit) >= 5) && "it does not wait for its database (backoffLimit)",
    Number(job.spec?.activeDeadlineSeconds) < waitMinSeconds &&
      "it ends before its database is there (activeDeadlineSeconds)",
  ];
  return refusals(describe(job), faults);
}
