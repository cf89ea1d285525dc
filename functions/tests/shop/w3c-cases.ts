// The cases of W3C's trace-context test suite (github.com/w3c/trace-context, test/test.py at acab820), © its contributors, W3C 3-clause BSD License.

type Header = readonly [name: string, value: string];

/** One request of the harness, and what every request that follows from it must carry. */
export type Exchange = {
  headers: Header[];
  traceId?: string;
  notTraceIds?: string[];
  notParentId?: string;
  /** Members of `tracestate` that arrive. */
  state?: Record<string, string>;
  /** Keys that do not. */
  noState?: string[];
  stateSize?: number;
  /** Members in this order. */
  order?: string[];
  /** Members of which one is enough. */
  anyOf?: string[];
  flagSet?: number;
};

export type Case = {
  name: string;
  exchanges: Exchange[];
  /** How many requests follow from each one; 1 when left out. */
  callbacks?: number;
};

const id = "12345678901234567890123456789012";
const parentId = "1234567890123456";
const valid = `00-${id}-${parentId}-01`;
const unsampled: Header = ["traceparent", `00-${id}-${parentId}-00`];
const zeroId = "0".repeat(32);

const parent = (value: string, name = "traceparent"): Header => [name, value];
const state = (value: string, name = "tracestate"): Header => [name, value];

/** A request whose traceparent counts for nothing. */
const refused = (value: string, notTraceIds = [id]): Exchange => ({ headers: [parent(value)], notTraceIds });
/** A request whose traceparent is kept. */
const kept = (value: string, name?: string): Exchange => ({ headers: [parent(value, name)], traceId: id });
/** A request in a trace, with these lines of tracestate. */
const withState = (lines: string[], expected: Omit<Exchange, "headers">): Exchange => ({
  headers: [unsampled, ...lines.map((line) => state(line))],
  traceId: id,
  ...expected,
});

/** `bar01=01,bar02=02` and so on. */
const bars = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`.padStart(2, "0"))
    .map((number) => `bar${number}=${number}`)
    .join(",");

const letters = "abcdefghijklmnopqrstuvwxyz";
const keyWithoutVendor = `${letters}0123456789_-*/`;
const keyWithVendor = `${keyWithoutVendor}@a-z0-9_-*/`;
const printable = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 + 1 }, (_, i) => 0x20 + i));
const everyValue = printable.replace(/[,=]/g, "");

export const traceContextTest: Case[] = [
  { name: "test_both_traceparent_and_tracestate_missing", exchanges: [{ headers: [] }] },
  {
    name: "test_traceparent_included_tracestate_missing",
    exchanges: [{ ...kept(valid), notParentId: parentId }],
  },
  {
    name: "test_traceparent_duplicated",
    exchanges: [
      {
        headers: [parent(`00-12345678901234567890123456789011-${parentId}-01`), parent(valid)],
        notTraceIds: ["12345678901234567890123456789011", id],
      },
    ],
  },
  {
    name: "test_traceparent_header_name",
    exchanges: ["trace-parent", "trace.parent"].map((name) => ({ headers: [parent(valid, name)], notTraceIds: [id] })),
  },
  {
    name: "test_traceparent_header_name_valid_casing",
    exchanges: ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"].map((name) => kept(valid, name)),
  },
  {
    name: "test_traceparent_version_0x00",
    exchanges: [refused(`${valid}.`), refused(`${valid}-what-the-future-will-be-like`)],
  },
  {
    name: "test_traceparent_version_0xcc",
    exchanges: [
      kept(`cc-${id}-${parentId}-01`),
      kept(`cc-${id}-${parentId}-01-what-the-future-will-be-like`),
      refused(`cc-${id}-${parentId}-01.what-the-future-will-be-like`),
    ],
  },
  { name: "test_traceparent_version_0xff", exchanges: [refused(`ff-${id}-${parentId}-01`)] },
  {
    name: "test_traceparent_version_illegal_characters",
    exchanges: [".0", "0."].map((version) => refused(`${version}-${id}-${parentId}-01`)),
  },
  {
    name: "test_traceparent_version_too_long",
    exchanges: ["000", "0000"].map((version) => refused(`${version}-${id}-${parentId}-01`)),
  },
  { name: "test_traceparent_version_too_short", exchanges: [refused(`0-${id}-${parentId}-01`)] },
  { name: "test_traceparent_trace_id_all_zero", exchanges: [refused(`00-${zeroId}-${parentId}-01`, [zeroId])] },
  {
    name: "test_traceparent_trace_id_illegal_characters",
    exchanges: [".2345678901234567890123456789012", "1234567890123456789012345678901."].map((bad) =>
      refused(`00-${bad}-${parentId}-01`, [bad]),
    ),
  },
  {
    name: "test_traceparent_trace_id_too_long",
    exchanges: [
      refused(`00-123456789012345678901234567890123-${parentId}-01`, [
        "123456789012345678901234567890123",
        id,
        "23456789012345678901234567890123",
      ]),
    ],
  },
  {
    name: "test_traceparent_trace_id_too_short",
    exchanges: [refused(`00-1234567890123456789012345678901-${parentId}-01`, ["1234567890123456789012345678901"])],
  },
  { name: "test_traceparent_parent_id_all_zero", exchanges: [refused(`00-${id}-0000000000000000-01`)] },
  {
    name: "test_traceparent_parent_id_illegal_characters",
    exchanges: [".234567890123456", "123456789012345."].map((bad) => refused(`00-${id}-${bad}-01`)),
  },
  { name: "test_traceparent_parent_id_too_long", exchanges: [refused(`00-${id}-12345678901234567-01`)] },
  { name: "test_traceparent_parent_id_too_short", exchanges: [refused(`00-${id}-123456789012345-01`)] },
  {
    name: "test_traceparent_trace_flags_illegal_characters",
    exchanges: [".0", "0."].map((flags) => refused(`00-${id}-${parentId}-${flags}`)),
  },
  { name: "test_traceparent_trace_flags_too_long", exchanges: [refused(`00-${id}-${parentId}-001`)] },
  { name: "test_traceparent_trace_flags_too_short", exchanges: [refused(`00-${id}-${parentId}-1`)] },
  {
    name: "test_traceparent_ows_handling",
    exchanges: [` ${valid}`, `\t${valid}`, `${valid} `, `${valid}\t`, `\t ${valid} \t`].map((value) => kept(value)),
  },
  {
    name: "test_tracestate_included_traceparent_missing",
    exchanges: ["foo=1", "foo=1,bar=2"].map((value) => ({ headers: [state(value)], stateSize: 0 })),
  },
  {
    name: "test_tracestate_included_traceparent_included",
    exchanges: [withState(["foo=1,bar=2"], { state: { foo: "1", bar: "2" } })],
  },
  {
    name: "test_tracestate_header_name",
    exchanges: ["trace-state", "trace.state"].map((name) => ({
      headers: [unsampled, state("foo=1", name)],
      noState: ["foo"],
    })),
  },
  {
    name: "test_tracestate_header_name_valid_casing",
    exchanges: ["TraceState", "TrAcEsTaTe", "TRACESTATE"].map((name) => ({
      headers: [unsampled, state("foo=1", name)],
      state: { foo: "1" },
    })),
  },
  {
    name: "test_tracestate_empty_header",
    exchanges: [
      withState([""], { stateSize: 0 }),
      withState(["foo=1", ""], { state: { foo: "1" } }),
      withState(["", "foo=1"], { state: { foo: "1" } }),
    ],
  },
  {
    name: "test_tracestate_multiple_headers_different_keys",
    exchanges: [
      withState(["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], {
        order: ["foo=1", "bar=2", "rojo=1", "congo=2", "baz=3"],
      }),
    ],
  },
  {
    name: "test_tracestate_duplicated_keys",
    exchanges: [
      withState(["foo=1,foo=1"], { anyOf: ["foo=1"] }),
      withState(["foo=1,foo=2"], { anyOf: ["foo=1", "foo=2"] }),
      withState(["foo=1", "foo=1"], { anyOf: ["foo=1"] }),
      withState(["foo=1", "foo=2"], { anyOf: ["foo=1", "foo=2"] }),
    ],
  },
  {
    name: "test_tracestate_all_allowed_characters",
    exchanges: [keyWithoutVendor, keyWithVendor].map((key) =>
      withState([`${key}=${everyValue}`], { state: { [key]: everyValue } }),
    ),
  },
  {
    name: "test_tracestate_ows_handling",
    exchanges: [
      withState(["foo=1 \t , \t bar=2, \t baz=3"], { state: { foo: "1", bar: "2", baz: "3" } }),
      withState(["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], { state: { foo: "1", bar: "2", baz: "3" } }),
      ...[" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"].map((line) =>
        withState([line], { state: { foo: "1" } }),
      ),
    ],
  },
  {
    name: "test_tracestate_key_illegal_characters",
    exchanges: [
      withState(["foo =1"], { noState: ["foo "] }),
      withState(["FOO=1"], { noState: ["FOO"] }),
      withState(["foo.bar=1"], { noState: ["foo.bar"] }),
    ],
  },
  {
    name: "test_tracestate_key_illegal_vendor_format",
    exchanges: [
      withState(["foo@=1,bar=2"], { state: { "foo@": "1", bar: "2" } }),
      withState(["@foo=1,bar=2"], { noState: ["bar"] }),
      withState(["foo@@bar=1,bar=2"], { state: { "foo@@bar": "1", bar: "2" } }),
      withState(["foo@bar@baz=1,bar=2"], { state: { "foo@bar@baz": "1", bar: "2" } }),
    ],
  },
  {
    name: "test_tracestate_member_count_limit",
    exchanges: [
      withState([bars(1, 10), bars(11, 20), bars(21, 30), bars(31, 32)], { state: { bar01: "01" }, stateSize: 32 }),
      withState([bars(1, 10), bars(11, 20), bars(21, 30), bars(31, 33)], { noState: ["bar01"] }),
    ],
  },
  {
    name: "test_tracestate_key_length_limit",
    exchanges: [
      withState(["foo=1", `${"z".repeat(256)}=1`], { state: { foo: "1", ["z".repeat(256)]: "1" } }),
      withState(["foo=1", `${"z".repeat(257)}=1`], { noState: ["foo"] }),
      ...[`${"t".repeat(241)}@${"v".repeat(14)}`, `${"t".repeat(242)}@v`, `t@${"v".repeat(15)}`].map((key) =>
        withState(["foo=1", `${key}=1`], { state: { foo: "1", [key]: "1" } }),
      ),
    ],
  },
  {
    name: "test_tracestate_value_illegal_characters",
    exchanges: [
      withState(["foo=bar=baz"], { noState: ["foo"] }),
      withState(["foo=,bar=3"], { noState: ["foo", "bar"] }),
    ],
  },
];

export const advancedTest: Case[] = [
  { name: "test_multiple_requests_with_valid_traceparent", callbacks: 3, exchanges: [kept(valid)] },
  { name: "test_multiple_requests_without_traceparent", callbacks: 3, exchanges: [{ headers: [] }] },
  {
    name: "test_multiple_requests_with_illegal_traceparent",
    callbacks: 3,
    exchanges: [refused(`00-${zeroId}-${parentId}-01`, [zeroId])],
  },
];

export const traceContext2Test: Case[] = [
  {
    name: "test_propagates_random_flag",
    exchanges: [{ ...kept(`00-${id}-${parentId}-02`), notParentId: parentId, flagSet: 0b10 }],
  },
];
