import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { metrics as catalogue, type MetricName } from "@shop/platform/catalogue";
import { createMetrics } from "@shop/platform/metrics";

/** Remarks of promtool's that we do not follow, and why. */
const accepted = [
  "http_request_summary_seconds metric name should not include type 'summary'", // its histogram has the name without
];
const odd = 'C:\\new "line"\n{a="b"} # 1';

function promtool(args: string[], input = "") {
  const { error, status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  return { missing: error !== undefined, status, text: `${stdout}${stderr}`.trim() };
}

/** Every metric of the catalogue, with exemplars and with a label no route would have. */
async function expose(format: "text/plain" | "application/openmetrics-text"): Promise<string> {
  const metrics = createMetrics({ service: "test", listeningMs: Date.now });
  for (const [name, { type, labels }] of Object.entries(catalogue)) {
    const values = Object.fromEntries(labels.map((label) => [label, odd])) as object;
    const exemplarLabels = { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331" } as object;
    if (type === "counter") metrics.counter(name as never).inc(values);
    if (type === "gauge") metrics.gauge(name as never).set(values, Number.NaN);
    if (type === "summary") metrics.summary(name as never).observe(values, 0.25);
    if (type === "histogram") metrics.histogram(name as never).observe({ labels: values, value: 0.25, exemplarLabels });
  }
  return metrics.expose(format);
}

const options = { skip: promtool(["--version"]).missing && "promtool is not on PATH" };
const samplesOf = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

describe("promtool", () => {
  it("reads the text format, and has no remark on it but those we know", options, async () => {
    const text = await expose("text/plain");
    assert.deepEqual(promtool(["check", "metrics"], text).text.split("\n"), accepted);
  });

  it("reads OpenMetrics, every sample and every _created as a series of its own", options, async () => {
    const text = await expose("application/openmetrics-text");
    const folder = await mkdtemp(join(tmpdir(), "shop-openmetrics-"));
    try {
      // To be stored each sample needs a time, which nothing scraped has: before the exemplar where there is one.
      const timed = text.replace(/^([a-z_]+(?:\{(?:[^"}]|"(?:\\.|[^"\\])*")*\})? \S+)/gm, `$1 ${Date.now() / 1000}`);
      await writeFile(join(folder, "metrics"), timed);
      const created = promtool([
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        join(folder, "metrics"),
        join(folder, "data"),
      ]);
      assert.equal(created.status, 0, created.text);
      await mkdir(join(folder, "data", "wal")); // without it nothing is dumped
      const stored = promtool(["tsdb", "dump", join(folder, "data")]).text.split("\n");
      assert.equal(stored.length, samplesOf(text).length);
      for (const name of Object.keys(catalogue) as MetricName[]) {
        const family = name.replace(/_total$/, "");
        const withCreated = stored.some((line) => line.includes(`__name__="${family}_created"`));
        assert.equal(withCreated, catalogue[name].type !== "gauge", name);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("finds a fault in either format", options, async () => {
    assert.match(promtool(["check", "metrics"], "x{a=1} 1\n").text, /parsing error/);
    const folder = await mkdtemp(join(tmpdir(), "shop-openmetrics-"));
    try {
      const text = await expose("application/openmetrics-text");
      for (const [index, faulty] of [text.replace("# EOF\n", ""), text.replace("# TYPE ", "# TIPE ")].entries()) {
        await writeFile(join(folder, `${index}`), faulty);
        const { status } = promtool(["tsdb", "create-blocks-from", "openmetrics", join(folder, `${index}`), folder]);
        assert.notEqual(status, 0);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
