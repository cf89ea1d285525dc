import type { Manifest } from "./manifest.ts";
import { type Pod, podsOf } from "./project.ts";

/** One thing that every environment has to hold. */
export interface Rule {
  name: string;
  /** One sentence for each violation: `Cannot accept <what>: <state>`. */
  check(build: Build): string[];
}

/** What an overlay builds to. */
export interface Build {
  overlay: string;
  manifests: readonly Manifest[];
  pods: readonly Pod[];
}

export const toBuild = (overlay: string, manifests: readonly Manifest[]): Build => ({
  overlay,
  manifests,
  pods: podsOf(manifests),
});

/** Whether this is where the pipeline deploys to. */
export const isProduction = ({ overlay }: Build): boolean => overlay.endsWith("/production");

/** What a rule says of the faults that something has; one that it has not is `false`. */
export const refusals = (what: string, faults: readonly (string | false)[]): string[] =>
  faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${what}: ${fault}`);
