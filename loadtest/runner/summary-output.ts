import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type SummaryData, summarize } from "../summary.ts";
import { asError } from "./as-error.ts";
import { within } from "./within.ts";

export type SummaryOutputOptions = {
  /** The script's `handleSummary`. */
  own: ((data: SummaryData) => unknown) | undefined;
  timeoutMs: number;
  /** Where the figures go as JSON, when the script has no say. */
  file: string | undefined;
  write: (stream: "stdout" | "stderr", text: string) => void;
};

/** Gives out a run's summary, the script's own where it has one. What fails is told and changes no exit code, as in k6. */
export async function writeSummary(data: SummaryData, options: SummaryOutputOptions): Promise<void> {
  const { file, write } = options;
  const tell = (what: string) => (error: unknown) => write("stderr", `Cannot ${what}: ${asError(error).message}\n`);
  const own = await ownSummary(data, options).catch(tell("use the script's own summary"));
  for (const [target, text] of Object.entries(own || summarize(data, { file }))) {
    await put(target, text, write).catch(tell(`write the summary to "${target}"`));
  }
}

async function ownSummary(data: SummaryData, { own, timeoutMs }: SummaryOutputOptions): Promise<unknown> {
  const outputs = await within("handleSummary", timeoutMs, own?.(data));
  if (outputs && typeof outputs !== "object") {
    throw new Error(`"handleSummary" should answer an object, not ${typeof outputs}`);
  }
  return outputs;
}

async function put(target: string, text: unknown, write: SummaryOutputOptions["write"]): Promise<void> {
  if (typeof text !== "string") throw new Error(`should be text, not ${typeof text}`);
  if (target === "stdout" || target === "stderr") return write(target, text);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
}
