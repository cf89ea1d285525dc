import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openRaw } from "../raw.ts";
import { type FunctionName, type Shop, startShop } from "../shop.ts";

const paths: Record<FunctionName, string> = {
  frontend: "/api/orders",
  gateway: "/api/orders",
  orders: "/orders",
  inventory: "/inventory",
  users: "/users",
};
const json = '{"item":"item1","quantity":1}';
const close = "Host: shop.test\r\nConnection: close\r\n";
const post = `POST PATH HTTP/1.1\r\n${close}Content-Type: application/json\r\nIdempotency-Key: 6f0c8a52-0e0b-4a5e-9a39-0a3a1d6a0c1d\r\n`;

/** What no client of good faith sends; PATH stands for a path of the function. */
const requests: Record<string, string> = {
  "no Host": "GET PATH HTTP/1.1\r\nConnection: close\r\n\r\n",
  "two Hosts": `GET PATH HTTP/1.1\r\n${close}Host: other.test\r\n\r\n`,
  "an odd Host": "GET PATH HTTP/1.1\r\nHost: a b/c?d@e\r\nConnection: close\r\n\r\n",
  "HTTP/1.0": "GET PATH HTTP/1.0\r\n\r\n",
  "HTTP/3.0": `GET PATH HTTP/3.0\r\n${close}\r\n`,
  "no version": "GET PATH\r\n\r\n",
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "the start of TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "the method FOOBAR": `FOOBAR PATH HTTP/1.1\r\n${close}\r\n`,
  "the method get": `get PATH HTTP/1.1\r\n${close}\r\n`,
  "the method TRACE": `TRACE PATH HTTP/1.1\r\n${close}\r\n`,
  "the method CONNECT": `CONNECT other.test:443 HTTP/1.1\r\n${close}\r\n`,
  "an absolute target": `GET http://other.test:1PATH HTTP/1.1\r\n${close}\r\n`,
  "the target *": `OPTIONS * HTTP/1.1\r\n${close}\r\n`,
  "a target above the root": `GET /../..PATH/../../etc/passwd HTTP/1.1\r\n${close}\r\n`,
  "a target with a space": `GET PATH x HTTP/1.1\r\n${close}\r\n`,
  "a target with NUL": `GET PATH/\0 HTTP/1.1\r\n${close}\r\n`,
  "a target with bytes above ASCII": `GET PATH/\xff\xfe HTTP/1.1\r\n${close}\r\n`,
  "a target of 100 kB": `GET PATH?${"x".repeat(100_000)} HTTP/1.1\r\n${close}\r\n`,
  "a header of 100 kB": `GET PATH HTTP/1.1\r\n${close}X-Odd: ${"x".repeat(100_000)}\r\n\r\n`,
  "2000 headers": `GET PATH HTTP/1.1\r\n${close}${"X-Odd: 1\r\n".repeat(2000)}\r\n`,
  "a header with NUL": `GET PATH HTTP/1.1\r\n${close}X-Odd: a\0b\r\n\r\n`,
  "a header without a colon": `GET PATH HTTP/1.1\r\n${close}nothing\r\n\r\n`,
  "a header with a space in its name": `GET PATH HTTP/1.1\r\n${close}X Odd: 1\r\n\r\n`,
  "a folded header": `GET PATH HTTP/1.1\r\n${close}X-Odd: 1\r\n 2\r\n\r\n`,
  "a header that takes others away":
    "GET PATH HTTP/1.1\r\nHost: a\r\nConnection: close, Host, Cookie, traceparent\r\n\r\n",
  "lines without CR": "GET PATH HTTP/1.1\nHost: shop.test\nConnection: close\n\n",
  "Content-Length and Transfer-Encoding": `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /stolen HTTP/1.1\r\n\r\n`,
  "two Content-Lengths": `${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
  "a negative Content-Length": `${post}Content-Length: -5\r\n\r\nhello`,
  "a Content-Length beyond 64 bits": `${post}Content-Length: 99999999999999999999\r\n\r\nhello`,
  "an unknown Transfer-Encoding": `${post}Transfer-Encoding: zip\r\n\r\nhello`,
  "a chunk without a length": `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
  "chunks of 70 kB": `${post}Transfer-Encoding: chunked\r\n\r\n11170\r\n${"x".repeat(70_000)}\r\n0\r\n\r\n`,
  "a body that ends early": `${post}Content-Length: 50\r\n\r\n{"item"`,
  "a chunked body that ends early": `${post}Transfer-Encoding: chunked\r\n\r\n7\r\n{"item"\r\n`,
  "a body with GET": `GET PATH HTTP/1.1\r\n${close}Content-Length: ${json.length}\r\n\r\n${json}`,
  "an upgrade":
    "GET PATH HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
  "an odd Expect": `${post}Expect: 200-maybe\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
  nothing: "\r\n\r\n",
};

/** A stack, a source file, a folder of this machine, or the name of an exception. */
const internals = /\bat \S+ \(|\.[jt]s\b|node_modules|file:\/\/|\/functions\/|\b[A-Z]\w*(Error|Exception)\b/;
// No answer is one too. The only 5xx that a request earns: it names an HTTP version that is none, and the runtime itself says so.
const answerMaxMs = 1_000;
const mayAnswer = /^$|^\0|^HTTP\/1\.[01] (2\d\d|4\d\d|505) /;

for (const runtime of ["bun", "deno"] as const) {
  describe(`whatever bytes arrive on ${runtime}`, () => {
    let shop: Shop;
    before(async () => {
      shop = await startShop({ runtime, bundled: true });
    });
    after(() => shop.stop());

    for (const [name, bytes] of Object.entries(requests)) {
      it(`${name}: every function lives on and tells nothing`, async () => {
        await Promise.all(
          Object.entries(paths).map(async ([peer, path]) => {
            const url = shop.urls[peer as FunctionName];
            const connection = await openRaw(url);
            connection.send(Buffer.from(bytes.replaceAll("PATH", path), "latin1"));
            if (name.endsWith("ends early")) connection.end();
            const answer = await connection.finish(answerMaxMs);
            assert.match(answer, mayAnswer, peer);
            assert.doesNotMatch(answer, internals, peer);
            assert.equal((await fetch(`${url}/healthz`)).status, 200, peer);
          }),
        );
      });
    }

    it("requests sent by halves hold nobody up, and are answered when they are whole", async () => {
      const body = `${post}Content-Length: ${json.length}\r\n\r\n${json}`.replace("PATH", paths.gateway);
      const halves = [10, body.length - 5];
      const slow = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const connection = await openRaw(shop.gatewayUrl);
          const half = halves[index % 2];
          connection.send(body.slice(0, half));
          return { connection, rest: body.slice(half) };
        }),
      );
      const others = Array.from({ length: 50 }, async () => (await fetch(`${shop.gatewayUrl}/api/products`)).status);
      assert.deepEqual([...new Set(await Promise.all(others))], [200]);

      for (const { connection, rest } of slow) connection.send(rest);
      const answers = await Promise.all(slow.map(({ connection }) => connection.finish(10_000)));
      for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 201 /);
    });
  });
}
