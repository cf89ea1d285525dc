import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimeCommand } from "../shop.ts";
import { measureBoots, measureLoad, type Plan, runtimes } from "./measure.ts";
import { type Measured, versionsOf, write } from "./table.ts";
import { build, variants } from "./variants.ts";

const short = process.argv.includes("--short");
const plan: Plan = short
  ? { boots: 2, rounds: 2, sliceMs: 300, warmUpMs: 300, connections: 32 }
  : { boots: 15, rounds: 15, sliceMs: 500, warmUpMs: 2_000, connections: 32 };
const report = new URL("./TELEMETRY-COST.md", import.meta.url);

const folder = await mkdtemp(join(tmpdir(), "shop-bench-"));
try {
  const programs = new Map<string, string>();
  for (const [i, variant] of variants.entries()) {
    programs.set(variant.name, (await build(variant, join(folder, `${i}`))).program);
  }

  const all: Measured[] = [];
  for (const runtime of runtimes) {
    const boots = await measureBoots(runtime, programs, plan);
    const { samples, delivered } = await measureLoad(runtime, programs, plan);
    all.push({ runtime, boots, load: samples, delivered });
  }

  const deno = execFileSync(runtimeCommand("deno")[0], ["eval", "console.log(Deno.version.deno)"], {
    encoding: "utf8",
  });
  const text = write(all, { plan, versions: versionsOf(deno.trim()) });
  console.log(text);
  if (!short) await writeFile(report, text);
} finally {
  await rm(folder, { recursive: true });
}
