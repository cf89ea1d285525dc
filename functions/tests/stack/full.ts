import { createRecord } from "../results.ts";

export { full } from "../results.ts";

/** Writes one section of RESULTS.md. */
export const record = createRecord(
  new URL("./RESULTS.md", import.meta.url),
  `# What \`bun run test:stack --full\` measured

Written by the suite itself; each section is one of its tests. Times are context, the claims are the counts and the ratios.
`,
);
