import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

/** Whether the suite runs in full, to write down its figures: `bun run test:stack --full`. */
export const full = process.env.STACK_FULL === "1";

const results = new URL("./RESULTS.md", import.meta.url);

/** Writes one section of the committed results; the short form writes nothing. */
export function record(title: string, lines: string[]): void {
  console.log(`\n${title}\n${lines.join("\n")}`);
  if (!full) return;
  const sections = new Map(
    read()
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split("\n")[0] ?? "", section.trimEnd()] as const),
  );
  const machine = `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  sections.set(title, `${title}\n\n${[...lines, "", `(${machine})`].join("\n")}`);
  const text = [...sections.values()].sort().map((section) => `## ${section}\n`);
  writeFileSync(results, `${head}\n${text.join("\n")}`);
}

const head = `# What \`bun run test:stack --full\` measured

Written by the suite itself; each section is one of its tests. Times are context, the claims are the counts and the ratios.
`;

function read(): string {
  try {
    return readFileSync(results, "utf8");
  } catch {
    return "";
  }
}
