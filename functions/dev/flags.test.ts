import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFlags } from "./flags.ts";
import { shop } from "./shop.ts";

const portOf = (args: string[], env: Record<string, string>, name: string) =>
  parseFlags(args, env, shop).functions.find((one) => one.name === name)?.port;

test("without flags: the ports of the table and a window of a minute", () => {
  const { help, windowMs, targetsPort, functions } = parseFlags([], {}, shop);
  assert.equal(help, false);
  assert.equal(windowMs, 60_000);
  assert.equal(targetsPort, 9900);
  assert.deepEqual(functions, shop);
});

test("a window is given in ms, s or m, or switched off", () => {
  assert.equal(parseFlags(["--window", "500ms"], {}, shop).windowMs, 500);
  assert.equal(parseFlags(["--window=5s"], {}, shop).windowMs, 5_000);
  assert.equal(parseFlags(["--window", "2m"], {}, shop).windowMs, 120_000);
  assert.equal(parseFlags(["--always-on"], {}, shop).windowMs, Number.POSITIVE_INFINITY);
});

test("a port is given by flag or by variable, and the flag wins", () => {
  assert.equal(portOf([], { ORDERS_PORT: "4001" }, "orders"), 4001);
  assert.equal(portOf(["--port", "orders=4002"], { ORDERS_PORT: "4001" }, "orders"), 4002);
  assert.equal(portOf(["--port", "orders=4002", "--port", "users=0"], {}, "users"), 0);
});

test("the port of the targets is given as a function's is", () => {
  assert.equal(parseFlags([], { TARGETS_PORT: "9901" }, shop).targetsPort, 9901);
  assert.equal(parseFlags(["--port", "targets=0"], { TARGETS_PORT: "9901" }, shop).targetsPort, 0);
});

for (const [what, args, message] of [
  ["a window without a unit", ["--window", "5"], /^Cannot read the window "5": should be a duration/],
  ["a window of nothing", ["--window", "0s"], /^Cannot read the window "0s"/],
  ["a window beyond a day", ["--window", "1441m"], /^Cannot read the window "1441m"/],
  ["a port that is none", ["--port", "orders=70000"], /^Cannot read the port "70000" of orders: should be an integer/],
  ["a port of nobody", ["--port", "payments=1"], /^Cannot set the port "payments=1": no function "payments"/],
  ["an unknown flag", ["--fast"], /--fast/],
] as const) {
  test(`${what} is refused`, () => assert.throws(() => parseFlags([...args], {}, shop), { message }));
}
