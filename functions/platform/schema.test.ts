import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { describeIssue } from "./schema.ts";

const Line = v.strictObject({
  item: v.pipe(v.string(), v.regex(/^[a-z]\w*$/)),
  quantity: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
});
const Lines = v.strictObject({ lines: v.pipe(v.array(Line), v.minLength(1), v.maxLength(2)) });
const Order = v.union([Line, Lines]);

const faultOf = (schema: v.GenericSchema, value: unknown, whole?: string): string => {
  const { issues } = v.safeParse(schema, value);
  assert.ok(issues);
  return describeIssue(issues[0], whole);
};

describe("describeIssue", () => {
  const line = { item: "item1", quantity: 1 };
  const cases: [what: string, schema: v.GenericSchema, value: unknown, fault: string][] = [
    ["a field that is missing", Line, { item: "item1" }, "quantity is missing"],
    ["a field that should not be there", Line, { ...line, price: 1 }, "body has an unknown field"],
    ["a field of a wrong type", Line, { ...line, quantity: "planted" }, "quantity should be a number"],
    ["null", Line, { ...line, quantity: null }, "quantity should be a number"],
    ["a fraction", Line, { ...line, quantity: 1.5 }, "quantity should be an integer"],
    ["a number too small", Line, { ...line, quantity: -1 }, "quantity should be at least 1"],
    ["a number too large", Line, { ...line, quantity: 1e9 }, "quantity should be at most 1000"],
    ["a text of a wrong form", Line, { ...line, item: "planted!" }, "item has a wrong form"],
    [
      "a field within a list",
      Lines,
      { lines: [line, { item: "item2", quantity: 0 }] },
      "lines[1].quantity should be at least 1",
    ],
    ["an unknown field within a list", Lines, { lines: [{ ...line, planted: 1 }] }, "lines[0] has an unknown field"],
    ["an empty list", Lines, { lines: [] }, "lines should have at least 1 entries"],
    ["a list too long", Lines, { lines: [line, line, line] }, "lines should have at most 2 entries"],
    ["no list", Lines, { lines: "planted" }, "lines should be an array"],
    ["a whole of a wrong type", Line, "planted", "body should be an object"],
    ["a whole that is a list", Line, [], "item is missing"],
    [
      "the best fit of a union",
      Order,
      { lines: [{ item: "item1", quantity: "planted" }] },
      "lines[0].quantity should be a number",
    ],
    ["a UUID", v.pipe(v.string(), v.uuid()), "planted", "body should be a UUID"],
    [
      "a message of the schema's own",
      v.pipe(
        v.string(),
        v.check(() => false, "should be a cursor"),
      ),
      "planted",
      "body should be a cursor",
    ],
  ];
  for (const [what, schema, value, fault] of cases) {
    it(`says of ${what} where it is and what is wrong, without the value`, () => {
      assert.equal(faultOf(schema, value), fault);
    });
  }

  it("names the whole as it is told to", () => {
    assert.equal(faultOf(v.string(), 1, "cookie"), "cookie should be a string");
  });

  it("never shows a value or the name of an unknown field", () => {
    for (const value of ["planted", ["planted"], { planted: "planted" }, { item: "planted!", quantity: "planted" }]) {
      for (const schema of [Line, Lines, Order, v.picklist(["a"]), v.literal("a"), v.boolean()]) {
        assert.doesNotMatch(faultOf(schema, value), /planted/);
      }
    }
  });
});
