import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readTraceContext, writeTraceContext } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const valid = `00-${traceId}-${spanId}-01`;

const read = (traceparent?: string, tracestate?: string) =>
  readTraceContext(
    new Headers({ ...(traceparent !== undefined && { traceparent }), ...(tracestate !== undefined && { tracestate }) }),
  );
const stateOf = (tracestate: string) => read(valid, tracestate)?.traceState?.serialize();

describe("readTraceContext", () => {
  it("reads the caller's span and its two flags", () => {
    const flags = {
      "00": [0, false],
      "01": [1, false],
      "02": [0, true],
      "03": [1, true],
      fc: [0, false],
      ff: [1, true],
    };
    for (const [text, [traceFlags, random]] of Object.entries(flags)) {
      const caller = { traceId, spanId, traceFlags, random, isRemote: true };
      assert.deepEqual(read(`00-${traceId}-${spanId}-${text}`), caller, text);
    }
  });

  it("knows no caller without a traceparent, or with a malformed one", () => {
    const malformed = [
      undefined,
      "",
      traceId,
      `00-${traceId}-${spanId}`,
      `00-${traceId}-${spanId}-1`,
      `00-${traceId}-${spanId}-01-`,
      `00-${traceId}-${spanId}-01-more`,
      `ff-${traceId}-${spanId}-01`,
      `FF-${traceId}-${spanId}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId}-${spanId.toUpperCase()}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00_${traceId}_${spanId}_01`,
      `${valid},${valid}`,
      `"${valid}"`,
    ];
    for (const traceparent of malformed) assert.equal(read(traceparent, "a=1"), undefined, `${traceparent}`);
  });

  it("reads what a later version has in common with ours", () => {
    for (const traceparent of [`01-${traceId}-${spanId}-01`, `fe-${traceId}-${spanId}-01-more-of-it`]) {
      assert.equal(read(traceparent)?.traceId, traceId, traceparent);
    }
    assert.equal(read(`01-${traceId}-${spanId}-01more`), undefined);
  });

  it("keeps a tracestate in its order, without empty members and the space around them", () => {
    assert.equal(stateOf("a=1,b@c=2"), "a=1,b@c=2");
    assert.equal(stateOf("b=2 \t,\t a=1"), "b=2,a=1");
    assert.equal(stateOf(",a=1,, ,b= 2,"), "a=1,b= 2");
    const full = Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(",");
    assert.equal(stateOf(full), full);
  });

  it("discards a malformed tracestate whole, and keeps the trace", () => {
    const tooMany = Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(",");
    const malformed = [
      "a",
      "=1",
      "a=",
      "a=1,B=2",
      "a=1,b=x=y",
      "a =1",
      "@a=1",
      `${"k".repeat(257)}=1`,
      tooMany,
      "",
      ",",
    ];
    malformed.push(`a=${"v".repeat(257)}`, "a=1;b=2,c", "a=caf\u00e9");
    for (const tracestate of malformed) {
      assert.equal(stateOf(tracestate), undefined, tracestate);
      assert.equal(read(valid, tracestate)?.traceId, traceId);
    }
  });
});

describe("writeTraceContext", () => {
  it("writes what it would read, the version always ours", () => {
    for (const flags of ["00", "01", "02", "03"]) {
      const headers = { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: "a=1,b=2" };
      const caller = readTraceContext(new Headers(headers));
      assert.ok(caller);
      assert.deepEqual(writeTraceContext(caller, caller.random), headers);
    }
    const later = read(`cc-${traceId}-${spanId}-f1-more`);
    assert.ok(later);
    assert.deepEqual(writeTraceContext(later, later.random), { traceparent: valid });
  });
});
