import { shop } from "@shop/dev/shop";
import { knativeServices } from "../manifest.ts";
import { functionOf } from "../project.ts";
import type { Rule } from "../rule.ts";

/** Every function of the shop is there under its name, and so is the migration of what owns data. */
export const functions: Rule = {
  name: "functions",
  check: ({ manifests, pods }) => {
    const served = new Set(knativeServices(manifests).map(({ metadata }) => metadata.name));
    const migrated = new Set(
      pods.filter(({ job, spec }) => job && `${spec.containers[0]?.args}` === "migrate").map(functionOf),
    );
    return [
      ...shop
        .filter(({ name }) => !served.has(name))
        .map(({ name }) => `Cannot accept the environment: there is no Knative Service "${name}"`),
      ...shop
        .filter(({ name, ownsData }) => ownsData && !migrated.has(name))
        .map(({ name }) => `Cannot accept the environment: no Job migrates the database of "${name}"`),
    ];
  },
};
