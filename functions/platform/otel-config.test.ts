import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, readConfig } from "./config.ts";
import { exportConfig, type OtelConfig, otelEntries, tracesUrl } from "./otel-config.ts";

type Variable = {
  /** The value when there is none. */
  unset: unknown;
  /** What is written → what is read. */
  good: Record<string, unknown>;
  bad: string[];
};

const same = (...texts: string[]) => Object.fromEntries(texts.map((text) => [text, text]));
const badIntegers = ["0", "-1", "1.5", "1e3", "ten", " 1", "1s", "9999999999"];
const integer = (unset: number | undefined, maximum: number): Variable => ({
  unset,
  good: { 1: 1, [maximum]: maximum },
  bad: [...badIntegers, `${maximum + 1}`],
});
const limit: Variable = {
  unset: undefined,
  good: { 0: 0, 1: 1, 65536: 65_536 },
  bad: [...badIntegers.slice(1), "65537"],
};
const length = integer(undefined, 65_536);
const compression: Variable = { unset: undefined, good: same("none", "gzip"), bad: ["zstd", "GZIP"] };
const fixture = (name: string) => new URL(`./fixtures/test-only-${name}.pem`, import.meta.url).pathname;
const noFiles = ["/nowhere/ca.pem", "/", "/dev/null", "PEM"];
const certificate: Variable = {
  unset: undefined,
  good: same(fixture("cert")),
  bad: [...noFiles, fixture("key"), fixture("junk")],
};
const key: Variable = {
  unset: undefined,
  good: same(fixture("key")),
  bad: [...noFiles, fixture("cert"), fixture("junk")],
};
const keyValues: Variable = {
  unset: {},
  good: {
    "a=1": { a: "1" },
    " a = 1 , b=2,": { a: "1", b: "2" },
    "service.namespace=shop,path=%2Fa%2Cb%20c": { "service.namespace": "shop", path: "/a,b c" },
    "digest=c2hvcA==,empty=": { digest: "c2hvcA==", empty: "" },
  },
  bad: ["a", "=1", "a=1,b", "a=%", "a=%zz", " =1"],
};
const headers: Variable = {
  unset: {},
  good: { "authorization=Bearer%20abc,x-tenant=shop": { authorization: "Bearer abc", "x-tenant": "shop" } },
  bad: [...keyValues.bad, "a b=c", "a=x%0a", "a=%00", "a=é", "a(=b", "transfer-encoding=chunked", "Host=x"],
};
const collector: Variable = {
  unset: undefined,
  good: same("http://collector:4318", "https://collector.test/otlp", "http://[::1]:4318/"),
  bad: [
    "collector:4318",
    "//collector",
    "ftp://collector",
    "grpc://collector:4317",
    "http://",
    "http://us%er@collector",
  ],
};

const variables: Record<keyof OtelConfig, Variable> = {
  OTEL_SDK_DISABLED: {
    unset: "false",
    good: { true: "true", TRUE: "true", True: "true", false: "false" },
    bad: ["1", "yes", " "],
  },
  OTEL_SERVICE_NAME: { unset: undefined, good: same("orders", "orders of the shop"), bad: [] },
  OTEL_RESOURCE_ATTRIBUTES: keyValues,
  OTEL_PROPAGATORS: {
    unset: undefined,
    good: same("tracecontext", "tracecontext,baggage", "baggage, tracecontext"),
    bad: ["b3", "tracecontext,b3", "none", "baggage"],
  },
  OTEL_TRACES_EXPORTER: { unset: "otlp", good: same("otlp", "none"), bad: ["jaeger", "otlp,console"] },
  OTEL_TRACES_SAMPLER: {
    unset: "parentbased_always_on",
    good: {
      ...same("always_on", "always_off", "traceidratio"),
      ...same("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
      Always_On: "always_on",
    },
    bad: ["jaeger_remote", "on", "parentbased_"],
  },
  OTEL_TRACES_SAMPLER_ARG: {
    unset: 1,
    good: {
      0: 0,
      1: 1,
      "0.1": 0.1,
      ".5": 0.5,
      "1.0": 1,
      "0.0": 0,
      "0.000000001": 1e-9,
      "1e-3": 0.001,
      "0.00000000001": 1e-11,
    },
    bad: ["2", "1.1", "-0.1", "10%", "NaN", "."],
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: collector,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector,
  OTEL_EXPORTER_OTLP_PROTOCOL: { unset: "http/protobuf", good: same("http/protobuf"), bad: ["grpc", "http/json"] },
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: { unset: "http/protobuf", good: same("http/protobuf"), bad: ["grpc"] },
  OTEL_EXPORTER_OTLP_TIMEOUT: integer(1_000, 600_000),
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: integer(undefined, 600_000),
  OTEL_BSP_SCHEDULE_DELAY: { unset: 1_000, good: { 0: 0, 600000: 600_000 }, bad: [...badIntegers.slice(1), "600001"] },
  OTEL_BSP_EXPORT_TIMEOUT: integer(1_500, 600_000),
  OTEL_BSP_MAX_QUEUE_SIZE: integer(2_048, 65_536),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: integer(512, 65_536),
  OTEL_EXPORTER_OTLP_HEADERS: headers,
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers,
  OTEL_EXPORTER_OTLP_COMPRESSION: compression,
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: compression,
  OTEL_EXPORTER_OTLP_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_CLIENT_KEY: key,
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: key,
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificate,
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: certificate,
  OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: length,
  OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: length,
  OTEL_ATTRIBUTE_COUNT_LIMIT: limit,
  OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: limit,
  OTEL_SPAN_EVENT_COUNT_LIMIT: limit,
  OTEL_SPAN_LINK_COUNT_LIMIT: limit,
  OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: limit,
  OTEL_LINK_ATTRIBUTE_COUNT_LIMIT: limit,
  K_REVISION: { unset: undefined, good: same("orders-00001"), bad: [] },
};

const read = (env: Record<string, string> = {}) => readConfig(otelEntries, env);
const faultOf = (env: Record<string, string>): string => {
  try {
    read(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return "none";
};

describe("otelEntries", () => {
  it("are the variables of this suite", () => {
    assert.deepEqual(Object.keys(otelEntries).sort(), Object.keys(variables).sort());
  });

  for (const [name, { unset, good, bad }] of Object.entries(variables)) {
    const key = name as keyof OtelConfig;
    it(`${name}: reads what is right, refuses what is wrong, and has a default`, () => {
      assert.deepEqual(read()[key], unset);
      for (const [text, value] of Object.entries(good)) assert.deepEqual(read({ [name]: text })[key], value, text);
      for (const text of bad)
        assert.match(faultOf({ [name]: text }), new RegExp(`^Cannot start: ${name} should be `), text);
    });
  }

  it("take an empty variable of OpenTelemetry's for none", () => {
    const empty = Object.keys(otelEntries).filter((name) => name.startsWith("OTEL_"));
    assert.deepEqual(read(Object.fromEntries(empty.map((name) => [name, ""]))), read());
  });

  it("name every bad variable at once, and no value", () => {
    const planted = "planted-secret";
    const withFaults = Object.keys(variables).filter((name) => variables[name as keyof OtelConfig].bad.length > 0);
    const message = faultOf({
      ...Object.fromEntries(withFaults.map((name) => [name, planted])),
      OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://user:${planted}@collector`,
      OTEL_RESOURCE_ATTRIBUTES: `key=${planted}%`,
    });
    const named = [...message.matchAll(/(OTEL_\w+) should be/g)].map((match) => match[1]);
    assert.deepEqual(named.sort(), withFaults.sort());
    assert.doesNotMatch(message, /planted/);
  });
});

describe("exportConfig", () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

  it("takes what is said of traces before what is said of all signals", () => {
    const all = {
      ...endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=1",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_EXPORTER_OTLP_TIMEOUT: "900",
      OTEL_EXPORTER_OTLP_CERTIFICATE: fixture("cert"),
    };
    assert.deepEqual(exportConfig(read(all)), {
      url: new URL("http://collector:4318/v1/traces"),
      headers: { a: "1", b: "1" },
      compression: "gzip",
      timeoutMs: 900,
      ca: fixture("cert"),
      key: undefined,
      cert: undefined,
    });
    const traces = exportConfig(
      read({
        ...all,
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: "b=2",
        OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none",
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "800",
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: fixture("key"),
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: fixture("cert"),
      }),
    );
    assert.deepEqual(traces?.headers, { a: "1", b: "2" });
    assert.deepEqual([traces?.compression, traces?.timeoutMs], ["none", 800]);
    assert.deepEqual([traces?.key, traces?.cert], [fixture("key"), fixture("cert")]);
  });

  it("waits no longer than a batch is waited for", () => {
    const config = read({ ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: "9000", OTEL_BSP_EXPORT_TIMEOUT: "70" });
    assert.equal(exportConfig(config)?.timeoutMs, 70);
  });
});

describe("tracesUrl", () => {
  const generic = (url: string) => tracesUrl(read({ OTEL_EXPORTER_OTLP_ENDPOINT: url }));

  it("is nowhere without an endpoint, and where tracing or its exporter is off", () => {
    assert.equal(tracesUrl(read()), undefined);
    const endpoints = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://collector:4318/v1/traces",
    };
    assert.equal(tracesUrl(read({ ...endpoints, OTEL_SDK_DISABLED: "true" })), undefined);
    assert.equal(tracesUrl(read({ ...endpoints, OTEL_TRACES_EXPORTER: "none" })), undefined);
  });

  it("is v1/traces below the generic endpoint, whatever it ends with", () => {
    assert.equal(generic("http://collector:4318"), "http://collector:4318/v1/traces");
    assert.equal(generic("http://collector:4318/"), "http://collector:4318/v1/traces");
    assert.equal(generic("http://collector:4318/otlp"), "http://collector:4318/otlp/v1/traces");
    assert.equal(generic("https://collector/otlp//"), "https://collector/otlp/v1/traces");
    assert.equal(generic("http://collector/otlp?tenant=shop"), "http://collector/otlp/v1/traces?tenant=shop");
  });

  it("is the specific endpoint as it stands, above the generic one", () => {
    for (const url of ["http://traces:4318", "http://traces:4318/", "http://traces/v1/traces", "http://traces/in/"]) {
      const both = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url };
      assert.equal(tracesUrl(read(both)), url);
    }
  });
});
