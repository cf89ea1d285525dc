import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import {
  ConfigError,
  connections,
  databaseUrl,
  peerUrl,
  platformEntries,
  port,
  readConfig,
  requestTimeoutMs,
} from "./config.ts";

const entries = {
  ...platformEntries,
  PORT: port(3001),
  REQUEST_TIMEOUT_MS: requestTimeoutMs(10_000),
  DATABASE_CONNECTIONS_MAX: connections(5),
  DATABASE_URL: databaseUrl,
  INVENTORY_SERVICE_URL: peerUrl,
};
const required = {
  DATABASE_URL: "postgres://orders:secret@127.0.0.1:5432/orders",
  INVENTORY_SERVICE_URL: "http://inventory.shop.svc.cluster.local",
};

const faultOf = (env: Record<string, string | undefined>): string => {
  try {
    readConfig(entries, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return "none";
};

describe("readConfig", () => {
  it("takes the defaults for what is not set, and nothing it was not asked for", () => {
    assert.deepEqual(readConfig(entries, { ...required, HOME: "/home/nobody" }), {
      ...required,
      HOST: "0.0.0.0",
      LOG_LEVEL: "info",
      PORT: 3001,
      REQUEST_TIMEOUT_MS: 10_000,
      DATABASE_CONNECTIONS_MAX: 5,
    });
  });

  it("reads numbers as numbers", () => {
    const config = readConfig(entries, { ...required, PORT: "8080", DATABASE_CONNECTIONS_MAX: "2" });
    assert.equal(config.PORT, 8080);
    assert.equal(config.DATABASE_CONNECTIONS_MAX, 2);
  });

  it("is frozen", () => {
    const config = readConfig(entries, required) as { PORT: number };
    assert.throws(() => {
      config.PORT = 1;
    }, TypeError);
  });

  it("names every bad variable at once and what it should be, in one line", () => {
    const message = faultOf({
      PORT: "70000",
      LOG_LEVEL: "loud",
      REQUEST_TIMEOUT_MS: "10s",
      DATABASE_CONNECTIONS_MAX: "0",
    });
    assert.equal(
      message,
      "Cannot start: LOG_LEVEL should be trace, debug, info, warn, error or fatal; " +
        "PORT should be an integer from 1 to 65535; " +
        "REQUEST_TIMEOUT_MS should be an integer from 1 to 11000; " +
        "DATABASE_CONNECTIONS_MAX should be an integer from 2 to 100; " +
        "DATABASE_URL should be a postgres:// URL; " +
        "INVENTORY_SERVICE_URL should be an http:// or https:// URL",
    );
  });

  it("says of a variable of a function's own what is wrong with it", () => {
    assert.throws(() => readConfig({ REGION: v.string() }, {}), { message: "Cannot start: REGION is missing" });
  });

  it("never shows a value", () => {
    const planted = "planted-secret";
    const env = Object.fromEntries(Object.keys(entries).map((name) => [name, planted]));
    const message = faultOf({ ...env, DATABASE_URL: `mysql://root:${planted}@127.0.0.1/orders` });
    assert.match(message, /DATABASE_URL should be/);
    assert.doesNotMatch(message, /planted/);
  });

  it("refuses numbers that are not plain decimals in their bounds", () => {
    for (const PORT of ["", " ", "0", "-1", "1.5", "1e3", "0x50", " 80", "80 ", "65536", "9999999999", "NaN"]) {
      assert.match(faultOf({ ...required, PORT }), /^Cannot start: PORT should be/, `"${PORT}"`);
    }
  });

  it("refuses URLs of another kind", () => {
    for (const url of ["", "inventory", "inventory:3002", "ftp://inventory", "javascript:alert(1)"]) {
      assert.match(faultOf({ ...required, INVENTORY_SERVICE_URL: url }), /INVENTORY_SERVICE_URL should be/, url);
    }
    for (const url of ["", "orders", "http://127.0.0.1/orders"]) {
      assert.match(faultOf({ ...required, DATABASE_URL: url }), /DATABASE_URL should be/, url);
    }
  });

  it("takes an empty variable of OpenTelemetry's as none, and none of ours", () => {
    const one = { OTEL_BSP_SCHEDULE_DELAY: port(1_000), PORT: port(3001) };
    assert.deepEqual(readConfig(one, { OTEL_BSP_SCHEDULE_DELAY: "" }), { OTEL_BSP_SCHEDULE_DELAY: 1_000, PORT: 3001 });
    assert.throws(() => readConfig(one, { PORT: "" }), { message: /^Cannot start: PORT should be/ });
    assert.throws(() => readConfig(one, { OTEL_BSP_SCHEDULE_DELAY: " " }), {
      message: /OTEL_BSP_SCHEDULE_DELAY should/,
    });
  });

  it("cuts a peer's trailing slashes off", () => {
    const config = readConfig(entries, { ...required, INVENTORY_SERVICE_URL: "http://inventory:3002//" });
    assert.equal(config.INVENTORY_SERVICE_URL, "http://inventory:3002");
  });
});
