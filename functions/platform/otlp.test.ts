import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { decodeSpans } from "../tests/otlp-sink.ts";
import { readConfig } from "./config.ts";
import { otelEntries } from "./otel-config.ts";
import { openExporter } from "./otlp.ts";
import { eventually } from "./testing.ts";

const fixture = (name: string) => new URL(`./fixtures/test-only-${name}.pem`, import.meta.url).pathname;

const pair = { OTEL_EXPORTER_OTLP_CLIENT_KEY: fixture("key"), OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: fixture("cert") };

type Received = { path: string; headers: http.IncomingHttpHeaders; body: Buffer };
type Answer = (reply: http.ServerResponse) => void;

/** A collector that answers as it is told to, over http or https. */
async function openCollector({ tls = false, mutual = false } = {}) {
  const received: Received[] = [];
  const collector = { answer: taken as Answer };
  const listener: http.RequestListener = async (request, reply) => {
    const body = await buffer(request).catch(() => undefined);
    if (!body) return;
    received.push({ path: request.url ?? "", headers: request.headers, body });
    collector.answer(reply);
  };
  const server = tls
    ? https.createServer(
        {
          key: readFileSync(fixture("key")),
          cert: readFileSync(fixture("cert")),
          ...(mutual && { requestCert: true, rejectUnauthorized: true, ca: readFileSync(fixture("cert")) }),
        },
        listener,
      )
    : http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(collector, {
    received,
    url: `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

const taken: Answer = (reply) => reply.writeHead(200, { "Content-Type": "application/x-protobuf" }).end();

/** A batch, and what its export comes to. */
function exportTo(url: string, env: Record<string, string> = {}) {
  const exporter = openExporter(readConfig(otelEntries, { OTEL_EXPORTER_OTLP_ENDPOINT: url, ...env }));
  assert.ok(exporter);
  const kept = new InMemorySpanExporter();
  const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(kept)] }).getTracer("test");
  return (spans = 1) => {
    kept.reset();
    for (let i = 0; i < spans; i++) tracer.startSpan("work").end();
    return new Promise<{ code: number; error?: Error; rejected?: number }>((resolve) =>
      exporter.export(kept.getFinishedSpans(), resolve),
    );
  };
}

describe("an export", () => {
  it("is one POST of protobuf with the headers of the configuration", async () => {
    await using collector = await openCollector();
    const send = exportTo(`${collector.url}/otlp`, { OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc" });
    assert.deepEqual(await send(3), { code: 0, rejected: 0 });
    const [{ path, headers, body } = assert.fail()] = collector.received;
    assert.equal(path, "/otlp/v1/traces");
    assert.equal(headers["content-type"], "application/x-protobuf");
    assert.equal(headers.authorization, "Bearer abc");
    assert.equal(headers["content-encoding"], undefined);
    assert.equal(decodeSpans(body).length, 3);
  });

  it("is compressed where that is asked for", async () => {
    await using collector = await openCollector();
    await exportTo(collector.url, { OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" })(2);
    const [{ headers, body } = assert.fail()] = collector.received;
    assert.equal(headers["content-encoding"], "gzip");
    assert.equal(decodeSpans(gunzipSync(body)).length, 2);
  });

  it("keeps its connection", async () => {
    await using collector = await openCollector();
    const send = exportTo(collector.url);
    for (let i = 0; i < 5; i++) await send();
    assert.equal(await collector.connections(), 1);
  });

  it("over https trusts whom it is told to, and nobody unknown", async () => {
    await using collector = await openCollector({ tls: true });
    assert.equal((await exportTo(collector.url)()).code, 1);
    const trusting = exportTo(collector.url, { OTEL_EXPORTER_OTLP_CERTIFICATE: fixture("cert") });
    assert.deepEqual(await trusting(), { code: 0, rejected: 0 });
    assert.equal(collector.received.length, 1);
  });

  const ca = { OTEL_EXPORTER_OTLP_CERTIFICATE: fixture("cert") };
  const isBun = "bun" in process.versions; // Deno's https server asks nobody for a certificate
  it("over https shows who it is, where that is asked for", { skip: !isBun }, async () => {
    await using collector = await openCollector({ tls: true, mutual: true });
    assert.equal((await exportTo(collector.url, ca)()).code, 1);
    assert.deepEqual(await exportTo(collector.url, { ...ca, ...pair })(), { code: 0, rejected: 0 });
  });

  it("goes over eight connections at most, however many there are", async () => {
    await using collector = await openCollector({ tls: true });
    const send = exportTo(collector.url, ca);
    const all = await Promise.all(Array.from({ length: 100 }, () => send()));
    assert.ok(all.every(({ code }) => code === 0));
    assert.equal(collector.received.length, 100);
    assert.ok((await collector.connections()) <= 8);
  });

  const rejection = new Uint8Array([0x0a, 0x02, 0x08, 0x02]); // partial_success { rejected_spans: 2 }
  it("says how many spans were rejected", async () => {
    await using collector = await openCollector();
    const send = exportTo(collector.url);
    collector.answer = (reply) => reply.end(rejection);
    assert.deepEqual(await send(3), { code: 0, rejected: 2 });
  });

  const drip: Answer = (reply) => {
    reply.writeHead(200).flushHeaders();
    const next = () => {
      if (reply.destroyed) return;
      reply.write("x");
      setTimeout(next, 5);
    };
    next();
  };
  const flood: Answer = (reply) => {
    reply.writeHead(200).on("error", () => {});
    const pour = () => {
      while (!reply.destroyed && reply.write("x".repeat(65_536)));
      if (!reply.destroyed) reply.once("drain", pour);
    };
    pour();
  };
  const failures: [what: string, answer: Answer, why: RegExp][] = [
    ["refuses", (reply) => reply.writeHead(503).end(), /the collector answers 503/],
    ["has moved", (reply) => reply.writeHead(302, { Location: "/" }).end(), /the collector answers 302/],
    ["is none", (reply) => reply.writeHead(200, { "Content-Type": "text/html" }).end(), /not a collector's/],
    ["says nothing that can be read", (reply) => reply.end("<html>"), /./],
    ["hangs up", (reply) => reply.destroy(), /./],
    ["breaks off", (reply) => reply.writeHead(200, { "Content-Length": 9 }).write("x", () => reply.destroy()), /./],
    ["never answers", () => {}, /in time/],
    ["drips", drip, /in time/],
    ["floods", flood, /longer than a collector's/],
  ];
  for (const tls of [false, true]) {
    it(`over ${tls ? "https" : "http"} fails where the collector does, with the reason, and the next is as good as the first`, async () => {
      await using collector = await openCollector({ tls });
      const send = exportTo(collector.url, {
        OTEL_EXPORTER_OTLP_TIMEOUT: "500",
        ...(tls && { OTEL_EXPORTER_OTLP_CERTIFICATE: fixture("cert") }),
      });
      for (const [what, answer, why] of failures) {
        collector.answer = answer;
        const lost = await Promise.all(Array.from({ length: 40 }, () => send()));
        for (const { code, error } of lost) {
          assert.equal(code, 1, what);
          assert.match(`${error?.message}`, why, what);
        }
        collector.answer = taken;
        assert.deepEqual(await send(), { code: 0, rejected: 0 }, what);
      }
      await eventually("what was given up is closed", async () => (await collector.connections()) <= 8);
    });
  }

  it("to an address where nobody listens fails at once, not after a time-out", async () => {
    const gone = await openCollector();
    await gone[Symbol.asyncDispose]();
    const startMs = performance.now();
    assert.equal(
      (await exportTo(gone.url, { OTEL_EXPORTER_OTLP_TIMEOUT: "60000", OTEL_BSP_EXPORT_TIMEOUT: "60000" })()).code,
      1,
    );
    assert.ok(performance.now() - startMs < 5_000);
  });
});

describe("openExporter", () => {
  it("refuses a key without its certificate, and the certificate of another", () => {
    for (const one of Object.entries(pair)) {
      const config = readConfig(otelEntries, {
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector",
        ...Object.fromEntries([one]),
      });
      assert.throws(
        () => openExporter(config),
        /^Error: Cannot send spans: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE should be that of/,
      );
    }
  });

  it("is none where no collector is named", () => {
    assert.equal(openExporter(readConfig(otelEntries, {})), undefined);
  });
});
