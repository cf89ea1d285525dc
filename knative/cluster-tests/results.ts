import { createRecord } from "../../functions/tests/results.ts";

export { full } from "../../functions/tests/results.ts";

/** Writes one section of knative/RESULTS.md. */
export const record = createRecord(
  new URL("../RESULTS.md", import.meta.url),
  `# What \`bun run test:cluster --full\` measured

Written by the suite itself, on a real Knative; each section is one of its tests. Times are context, the claims are the counts and the ratios.
`,
);

export const ms = (value: number): string => value.toFixed(0);
