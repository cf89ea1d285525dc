import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { metrics as catalogue, durationBuckets, logFields, spanAttributes } from "./catalogue.ts";

type Declared = { type: string; help: string; unit?: string; labels: readonly string[]; functions?: readonly string[] };

const metrics = Object.entries(catalogue) as [string, Declared][];

describe("the catalogue", () => {
  it("names metrics as Prometheus does: words in snake case, _total for counters alone, the unit last", () => {
    for (const [name, { type, unit }] of metrics) {
      assert.match(name, /^[a-z]+(_[a-z]+)+$/);
      assert.equal(name.endsWith("_total"), type === "counter", name);
      assert.doesNotMatch(name, /_(count|sum|bucket|created|info)$/);
      assert.equal(/_(seconds|milliseconds|bytes)$/.exec(name)?.[1], unit, name);
    }
  });

  it("declares labels in snake case, none that is the writer's own or that @hono/prometheus brings", () => {
    for (const [name, { labels }] of metrics) {
      assert.equal(new Set(labels).size, labels.length, name);
      for (const label of labels) {
        assert.match(label, /^[a-z]+(_[a-z]+)*$/, name);
        if (name.startsWith("http_")) assert.doesNotMatch(label, /^(status|ok)$/, name);
        assert.doesNotMatch(label, /^(le|quantile|service)$/, name);
      }
    }
  });

  it("says of everything what it means", () => {
    for (const [name, { help }] of metrics) assert.match(help, /^[A-Z].+\.$/, name);
    for (const [name, meaning] of Object.entries({ ...spanAttributes, ...logFields })) assert.ok(meaning, name);
  });

  it("names span attributes as OpenTelemetry does, log fields in snake case", () => {
    for (const name of Object.keys(spanAttributes)) assert.match(name, /^[a-z]+(\.[a-z]+(_[a-z]+)*)+$/);
    for (const name of Object.keys(logFields)) assert.match(name, /^[a-z]+(_[a-z]+)*$/);
  });

  it("has buckets that rise from half a millisecond to beyond the longest request", () => {
    assert.deepEqual(
      durationBuckets,
      [...durationBuckets].sort((a, b) => a - b),
    );
    assert.equal(new Set(durationBuckets).size, durationBuckets.length);
    assert.equal(durationBuckets[0], 0.0005);
    assert.ok((durationBuckets.at(-1) ?? 0) > 12);
  });
});
