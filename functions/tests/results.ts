import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { revision } from "@shop/dev/images";

/** Whether a suite runs in full, to write down its figures: `bun run test:stack --full`. */
export const full = process.env.STACK_FULL === "1";

/** Writes one section of a suite's committed results, each of them a test's; the short form writes nothing. */
export function createRecord(file: URL, head: string): (title: string, lines: string[]) => void {
  const measured = full ? revision() : ""; // before the first section makes the tree another one
  return (title, lines) => {
    console.log(`\n${title}\n${lines.join("\n")}`);
    if (!full) return;
    const sections = new Map(
      read(file)
        .split(/^## /m)
        .slice(1)
        .map((section) => [section.split("\n")[0] ?? "", section.trimEnd()] as const),
    );
    const machine = `${new Date().toISOString().slice(0, 10)}, ${measured}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`;
    sections.set(title, `${title}\n\n${[...lines, "", `(${machine})`].join("\n")}`);
    const text = [...sections.values()].sort().map((section) => `## ${section}\n`);
    writeFileSync(file, `${head}\n${text.join("\n")}`);
  };
}

function read(file: URL): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
