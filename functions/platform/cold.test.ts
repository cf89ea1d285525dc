import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import * as v from "valibot";
import { createApp } from "./app.ts";
import { createBoot } from "./boot.ts";
import { createPeer } from "./client.ts";
import { createForwarder } from "./forward.ts";
import { eventually, listen, testTelemetry, warm } from "./testing.ts";

const startedMs = 1_700_000_000_000;
const phaseMs = 40;

/** A process that listens; each phase of its start takes `phaseMs`. */
function woken() {
  let nowMs = startedMs;
  const now = () => {
    nowMs += phaseMs;
    return nowMs;
  };
  const telemetry = testTelemetry({ service: "orders", boot: createBoot({ startedMs, now }) });
  for (const phase of ["modules", "config", "listen"] as const) telemetry.endPhase(phase);
  return telemetry;
}

/** An app of two routes; `/held` answers once it is released. */
function openApp(telemetry = woken()) {
  const held = Promise.withResolvers<void>();
  const arrived: string[] = [];
  const app = createApp({ telemetry });
  app.get("/quick", (c) => c.text("done"));
  app.get("/held", async (c) => {
    arrived.push(c.var.call.requestId);
    await held.promise;
    return c.text("done");
  });
  return { app, telemetry, arrived, release: held.resolve };
}

const ours = 'cold;dur=120;desc="orders"';
const timing = ({ headers }: Response) => headers.get("Server-Timing");
const cold = (lines: Record<string, unknown>[]) =>
  lines.filter(({ msg }) => msg === "request").map((line) => line.cold === true);
const servers = (spans: ReadableSpan[]) => spans.filter((span) => "faas.coldstart" in span.attributes);
const boots = (spans: ReadableSpan[]) => spans.filter(({ name }) => name.startsWith("boot "));

describe("a process's first request", () => {
  it("is cold in its reply, its line, its duration and its span; the next one is not", async () => {
    const { app, telemetry } = openApp();
    assert.equal(timing(await app.request("/quick")), ours);
    assert.equal(timing(await app.request("/quick")), null);
    assert.deepEqual(cold(telemetry.lines), [true, false]);
    for (const label of ["true", "false"]) {
      assert.equal(await telemetry.value("http_request_duration_seconds_count", { cold: label }), 1, label);
    }
    await telemetry.close();
    assert.deepEqual(
      servers(telemetry.spans).map(({ attributes }) => attributes["faas.coldstart"]),
      [true, false],
    );
  });

  it("has the phases of the start below its span, end to end from the start of the process", async () => {
    const { app, telemetry } = openApp();
    await app.request("/quick");
    await app.request("/quick");
    await telemetry.close();
    const [first] = servers(telemetry.spans);
    const spans = boots(telemetry.spans);
    assert.deepEqual(
      spans.map(({ name }) => name),
      ["boot modules", "boot config", "boot listen", "boot idle"],
    );
    const ms = ([seconds, nanoseconds]: [number, number]) => seconds * 1_000 + nanoseconds / 1e6;
    for (const [index, span] of spans.entries()) {
      assert.equal(span.parentSpanContext?.spanId, first?.spanContext().spanId);
      assert.equal(ms(span.startTime), startedMs + index * phaseMs);
      assert.equal(ms(span.endTime), startedMs + (index + 1) * phaseMs);
    }
  });

  it("leaves one line that says how long each phase took, once it is answered", async () => {
    const { app, telemetry } = openApp();
    await app.request("/quick");
    await app.request("/quick");
    const messages = telemetry.lines.map(({ msg }) => msg);
    assert.deepEqual(messages, ["request", "cold start", "request"]);
    const [request, start] = telemetry.lines;
    assert.equal(start?.trace_id, request?.trace_id);
    assert.equal(start?.span_id, request?.span_id);
    for (const phase of ["modules", "config", "listen", "idle", "first_request"]) {
      assert.equal(start?.[`${phase}_ms`], phaseMs, phase);
      assert.equal(await telemetry.value("function_cold_start_seconds", { phase }), phaseMs / 1_000);
    }
    assert.equal(await telemetry.value("function_boots_total"), 1);
  });

  it("is cold as well when it fails, or finds nothing", async () => {
    const { app, telemetry } = openApp();
    assert.equal(timing(await app.request("/nowhere")), ours);
    assert.deepEqual(cold(telemetry.lines), [true]);
  });

  it("is the first that is no probe and no scrape", async () => {
    const { app, telemetry } = openApp();
    for (const path of ["/healthz", "/readyz", "/livez", "/metrics"]) {
      assert.equal(timing(await app.request(path)), null, path);
    }
    assert.deepEqual(telemetry.lines, []);
    assert.equal(await telemetry.value("function_cold_start_seconds", { phase: "idle" }), undefined);
    assert.equal(timing(await app.request("/quick")), ours);
  });
});

describe("requests before the first reply", () => {
  it("are all cold, and the story of the start is told once", async () => {
    const { app, telemetry, arrived, release } = openApp();
    const herd = Array.from({ length: 20 }, () => app.request("/held"));
    await eventually("all have arrived", () => arrived.length === 20);
    release();
    for (const reply of await Promise.all(herd)) assert.equal(timing(reply), ours);
    assert.equal(timing(await app.request("/held")), null);
    assert.deepEqual(cold(telemetry.lines), [...Array(20).fill(true), false]);
    assert.equal(await telemetry.value("http_request_duration_seconds_count", { cold: "true" }), 20);
    assert.equal(telemetry.lines.filter(({ msg }) => msg === "cold start").length, 1);
    await telemetry.close();
    assert.equal(servers(telemetry.spans).filter(({ attributes }) => attributes["faas.coldstart"]).length, 20);
    assert.equal(boots(telemetry.spans).length, 4);
    assert.equal(new Set(boots(telemetry.spans).map(({ parentSpanContext }) => parentSpanContext?.spanId)).size, 1);
  });

  it("end with the first that is answered, not with the first that came", async () => {
    const { app, telemetry, release } = openApp();
    const held = app.request("/held");
    assert.equal(timing(await app.request("/quick")), ours);
    assert.equal(timing(await app.request("/quick")), null);
    release();
    assert.equal(timing(await held), ours, "it came before the first reply");
    await telemetry.close();
    const [start] = telemetry.lines.filter(({ msg }) => msg === "cold start");
    const [quick] = telemetry.lines.filter(({ msg }) => msg === "request");
    assert.equal(start?.span_id, quick?.span_id);
    assert.equal(boots(telemetry.spans).length, 4);
  });
});

const theirs = 'cold;dur=83.25;desc="inventory"';

/** A gateway, awake for long, that asks a peer whose answer carries this header. */
async function askPeer(header: string | undefined, telemetry = warm(testTelemetry({ service: "gateway" }))) {
  const headers = header === undefined ? {} : { "Server-Timing": header };
  const fetch = async () => Response.json({}, { headers });
  const peer = createPeer({ name: "orders", baseUrl: "http://orders", metrics: telemetry.metrics, fetch });
  const app = createApp({ telemetry });
  app.get("/asks", async (c) => {
    await peer.request({ method: "GET", path: "/", answers: { 200: v.object({}) } }, c.var.call);
    return c.text("done");
  });
  return { reply: await app.request("/asks"), telemetry };
}

describe("what a peer had to wake", () => {
  it("makes the call cold, not the process, and its entries are passed on", async () => {
    const { reply, telemetry } = await askPeer(`${ours}, ${theirs}`);
    assert.equal(timing(reply), `${ours}, ${theirs}`);
    assert.deepEqual(cold(telemetry.lines), [true]);
    assert.equal(await telemetry.value("http_request_duration_seconds_count", { cold: "true" }), 1);
    await telemetry.close();
    assert.equal(servers(telemetry.spans)[0]?.attributes["faas.coldstart"], false);
  });

  it("stands after what we had to wake ourselves", async () => {
    const { reply } = await askPeer(theirs, woken());
    assert.equal(timing(reply), `${ours}, ${theirs}`);
  });

  it("is passed on by a forwarder once, in place of the peer's own header", async () => {
    await using peer = await listen(
      (_, reply) => void reply.writeHead(200, { "Server-Timing": `${theirs}, db;dur=5` }).end(),
    );
    const telemetry = woken();
    const forward = createForwarder({ name: "gateway", baseUrl: peer.url, metrics: telemetry.metrics });
    const app = createApp({ telemetry });
    app.get("/api/*", (c) => forward(c.req.raw, c.var.call));
    assert.equal(timing(await app.request("/api/x")), `${ours}, ${theirs}`);
    assert.equal(timing(await app.request("/api/x")), theirs);
    assert.deepEqual(cold(telemetry.lines), [true, true]);
  });

  it("is named once, however often it was asked", async () => {
    const again = 'cold;dur=90;desc="inventory"';
    assert.equal(timing((await askPeer(`${theirs}, ${theirs}, ${again}`)).reply), theirs);
    assert.equal(timing((await askPeer(`${ours}, ${theirs}`, woken())).reply), `${ours}, ${theirs}`);
  });

  const strange = {
    "of another metric": "db;dur=53, app;dur=47.2",
    "without a name": "cold;dur=12",
    "without a duration": 'cold;desc="orders"',
    "with a duration that is none": 'cold;dur=soon;desc="orders"',
    "with a negative duration": 'cold;dur=-1;desc="orders"',
    "with a huge duration": 'cold;dur=12345678901;desc="orders"',
    "with a name that no function has": 'cold;dur=1;desc="<script>planted</script>"',
    "with a name in capitals": 'cold;dur=1;desc="Planted"',
    "with a name too long": `cold;dur=1;desc="${"a".repeat(64)}"`,
    "with more parameters": 'cold;dur=1;desc="orders";planted="x"',
    "of a longer word": 'x-cold;dur=1;desc="orders"',
    "within another's quotes": 'db;desc="cold;dur=1;desc=\\"orders\\""',
    "that is empty": "",
  };
  for (const [what, header] of Object.entries(strange)) {
    it(`is not believed of an entry ${what}`, async () => {
      const { reply, telemetry } = await askPeer(header);
      assert.equal(timing(reply), null);
      assert.deepEqual(cold(telemetry.lines), [false]);
      assert.equal(await telemetry.value("http_request_duration_seconds_count", { cold: "true" }), undefined);
    });
  }

  it("is believed of the good entries beside a bad one", async () => {
    const { reply } = await askPeer(`db;dur=5,${theirs} , cold;dur=x;desc="orders"`);
    assert.equal(timing(reply), theirs);
  });

  it("has at most 16 entries", async () => {
    const many = Array.from({ length: 100 }, (_, index) => `cold;dur=1;desc="f${index}"`);
    const { reply } = await askPeer(many.join(", "), woken());
    assert.equal(timing(reply), [ours, ...many.slice(0, 15)].join(", "));
  });
});
