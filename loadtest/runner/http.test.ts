import assert from "node:assert/strict";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import { createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { freePort, listen } from "@shop/platform/testing";
import type { Response } from "./http.ts";
import { perVu, prepare } from "./testing.ts";

type Http = Parameters<Parameters<typeof prepare>[1]>[0]["http"];

/** Runs one iteration. */
async function once(work: (http: Http) => Promise<unknown>, options: Record<string, unknown> = {}) {
  let result: unknown;
  const run = prepare({ scenarios: { one: perVu() }, ...options }, ({ http }) => ({
    async default() {
      result = await work(http);
    },
  }));
  const { error } = await run.start();
  return { ...run, error, reply: result as Response };
}

describe("a request", () => {
  it("carries its method, headers, Host and body, and brings back status, headers, body and JSON", async () => {
    let seen: { method?: string | undefined; headers: IncomingHttpHeaders; body: string } | undefined;
    await using server = await listen(async (request, reply) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      seen = { method: request.method, headers: request.headers, body };
      reply.writeHead(201, ["x-lower", "1", "Set-Cookie", "a=1", "Set-Cookie", "b=2"]).end('{"ü":true}');
    });
    const headers = { Host: "gateway.sre-lab.example", "Content-Type": "application/json", "User-Agent": "mine" };
    const { reply, warnings } = await once((http) => http.post(`${server.url}/a?b=c`, '{"ä":1}', { headers }));
    assert.equal(seen?.method, "POST");
    assert.equal(seen?.headers.host, "gateway.sre-lab.example");
    assert.equal(seen?.headers["content-length"], "8");
    assert.equal(seen?.headers["user-agent"], "mine");
    assert.equal(seen?.body, '{"ä":1}');
    assert.equal(reply.status, 201);
    assert.equal(reply.headers["X-Lower"], "1");
    assert.equal(reply.headers["Set-Cookie"], "a=1, b=2");
    assert.deepEqual(reply.json(), { ü: true });
    assert.match(`${warnings}`, /keeps no cookies/);
  });

  it("is measured: the time until the answer, without the connection's making", async () => {
    await using server = await listen((request, reply) => {
      request.resume().on("end", () => setTimeout(() => reply.end("x".repeat(20_000)), 50));
    });
    const timings: Response["timings"][] = [];
    const { value } = await once(async (http) => {
      for (let count = 0; count < 2; count++) timings.push((await http.post(server.url, "x".repeat(10_000))).timings);
    });
    for (const { duration, sending, waiting, receiving } of timings) {
      assert.ok(duration >= 49 && waiting >= 49, JSON.stringify(timings));
      assert.ok(Math.abs(duration - sending - waiting - receiving) < 0.01, JSON.stringify(timings));
    }
    assert.ok((value("http_req_connecting", "max") ?? 0) > 0);
    assert.equal(value("http_req_connecting", "min"), 0, "the second request came over the same connection");
    const [sent = 0, received = 0] = [value("data_sent", "count"), value("data_received", "count")];
    assert.ok(sent > 20_000 && sent < 21_000, `${sent}`);
    assert.ok(received > 40_000 && received < 41_000, `${received}`);
  });

  it("is tagged with what it was and what came of it, and with what the script says", async () => {
    await using server = await listen((_, reply) => {
      reply.writeHead(404).end();
    });
    const run = prepare({ scenarios: { one: perVu() } }, ({ http }) => ({
      default: () => http.get(`${server.url}/a`, { tags: { name: "GET :any", own: "tag" } }),
    }));
    const tags = ["method:GET", `url:${server.url}/a`, "name:GET :any", "own:tag", "scenario:one"];
    const outcome = ["status:404", "error_code:1404", "expected_response:false"];
    const series = [...tags, ...outcome].map((tag) => run.select(`http_req_duration{${tag}}`));
    await run.start();
    for (const { name, sink } of series) assert.equal(sink.aggregate("count", 1), 1, name);
  });

  it("brings no body when none is asked for, for all requests or for one", async () => {
    await using server = await listen((_, reply) => void reply.end("body"));
    const body = async (params: object, options = {}) =>
      (await once((http) => http.get(server.url, params), options)).reply.body;
    assert.equal(await body({ responseType: "none" }), null);
    assert.equal(await body({}, { discardResponseBodies: true }), null);
    assert.equal(await body({ responseType: "text" }, { discardResponseBodies: true }), "body");
  });

  it("over a connection of its own each, when connections are not to be kept", async () => {
    const ports = new Set<number | undefined>();
    const answer: RequestListener = (request, reply) => {
      ports.add(request.socket.remotePort);
      reply.end();
    };
    await using server = await listen(answer);
    const twice = async (http: Http) => {
      await http.get(server.url);
      await http.get(server.url);
    };
    await once(twice, { noConnectionReuse: true });
    assert.equal(ports.size, 2);
    await once(twice);
    assert.equal(ports.size, 3);
  });

  it("that finds nobody is a failed request of status 0", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { reply, value, warnings } = await once((http) => http.get(url));
    assert.deepEqual([reply.status, reply.error_code, reply.body], [0, 1212, null]);
    assert.equal(value("http_req_failed", "rate"), 1);
    assert.equal(value("http_reqs", "count"), 1);
    assert.deepEqual([value("data_sent", "count"), value("data_received", "count")], [0, 0]);
    assert.match(`${warnings}`, /^Request failed: .*ECONNREFUSED/);
  });

  it("on a kept connection that the server closes at that moment fails, and is not sent again", async () => {
    let requests = 0;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", () => {
        requests += 1;
        if (requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        else socket.destroy();
      });
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const { reply, value } = await once(async (http) => {
      await http.get(`http://127.0.0.1:${port}`);
      return http.get(`http://127.0.0.1:${port}`);
    });
    server.close();
    assert.deepEqual([reply.status, reply.error_code], [0, 1220]);
    assert.equal(sockets.size, 1, "both came over one connection");
    assert.equal(requests, 2);
    assert.equal(value("http_req_failed", "passes"), 1);
  });

  it("whose answer breaks off fails", async () => {
    await using server = await listen((request, reply) => {
      reply.writeHead(200, { "Content-Length": "10" });
      reply.write("half", () => request.socket.destroy());
    });
    const { reply } = await once((http) => http.get(server.url));
    assert.equal(reply.status, 0);
    assert.notEqual(reply.error, "");
  });

  it("that takes longer than its timeout fails", async () => {
    await using server = await listen(() => {});
    for (const timeout of ["50ms", 50]) {
      const { reply } = await once((http) => http.get(server.url, { timeout }));
      assert.deepEqual([reply.status, reply.error_code, reply.error], [0, 1050, "request timeout"]);
    }
  });

  it("follows redirects, each a request of its own, as far as it may", async () => {
    const seen: string[] = [];
    await using server = await listen((request, reply) => {
      seen.push(`${request.method} ${request.url}`);
      const [, hop = "0"] = /(\d)$/.exec(request.url ?? "") ?? [];
      const status = [0, 307, 308, 302][Number(hop)];
      if (!status) return void reply.end("there");
      reply.writeHead(status, { Location: `/${Number(hop) + 1}` }).end();
    });
    const { reply, value } = await once((http) => http.post(`${server.url}/1`, "x"));
    assert.deepEqual(seen, ["POST /1", "POST /2", "POST /3", "GET /4"]);
    assert.deepEqual([reply.status, reply.url], [200, `${server.url}/4`]);
    assert.equal(value("http_reqs", "count"), 4);
    await once((http) => http.request("HEAD", `${server.url}/3`));
    assert.deepEqual(seen.slice(-2), ["HEAD /3", "HEAD /4"]);
    assert.equal((await once((http) => http.get(`${server.url}/1`, { redirects: 0 }))).reply.status, 307);
    assert.equal((await once((http) => http.get(`${server.url}/1`), { maxRedirects: 1 })).reply.url, `${server.url}/2`);
  });
});

describe("an expected status", () => {
  const statuses = [200, 302, 404, 409, 500];
  const failures = async (given: (http: Http) => { params?: object }) => {
    await using server = await listen((request, reply) => {
      reply.writeHead(Number(request.url?.slice(1))).end();
    });
    const failed: number[] = [];
    for (const status of statuses) {
      const run = prepare({ scenarios: { one: perVu() } }, ({ http }) => {
        const { params } = given(http);
        return { default: () => http.get(`${server.url}/${status}`, params) };
      });
      await run.start();
      if (run.value("http_req_failed", "passes") === 1) failed.push(status);
      const expected = run.value("http_req_duration{expected_response:true}", "count");
      assert.equal(expected, failed.includes(status) ? 0 : 1, `${status}`);
    }
    return failed;
  };

  it("is 200 to 399, where nobody says otherwise", async () => {
    assert.deepEqual(await failures(() => ({})), [404, 409, 500]);
  });

  it("is what the script says, for all requests or for one", async () => {
    const all = await failures((http) => {
      http.setResponseCallback(http.expectedStatuses(200, { min: 404, max: 409 }));
      return {};
    });
    assert.deepEqual(all, [302, 500]);
    const one = await failures((http) => ({ params: { responseCallback: http.expectedStatuses(500) } }));
    assert.deepEqual(one, [200, 302, 404, 409]);
  });

  it("is not asked for where the script wants none", async () => {
    await using server = await listen((_, reply) => void reply.end());
    const { value } = await once((http) => http.get(server.url, { responseCallback: null }));
    assert.deepEqual([value("http_reqs", "count"), value("http_req_failed", "fails")], [1, 0]);
  });
});

describe("what the runner lacks", () => {
  for (const [what, work, message] of [
    [
      "a function of k6/http",
      (http: Http) => (http as never as { batch(): never }).batch(),
      /Cannot use "batch" of k6\/http/,
    ],
    [
      "a parameter",
      (http: Http) => http.get("http://x", { cookies: {} } as object),
      /Cannot use the parameter "cookies"/,
    ],
    [
      "a kind of body",
      (http: Http) => http.post("http://x", { a: 1 }),
      /Cannot send a body of type "object": the runner takes text only/,
    ],
    [
      "a late word on what is expected",
      async (http: Http) => http.setResponseCallback(null),
      /Cannot call "http.setResponseCallback": the runner takes it at the top only/,
    ],
    ["a URL", (http: Http) => http.get("ftp://x"), /Cannot ask "ftp:\/\/x": not the URL of an HTTP server/],
  ] as const) {
    it(`${what} is named`, async () => {
      assert.match(`${(await once(async (http) => work(http))).error}`, message);
    });
  }

  it("a member of the answer is named", async () => {
    await using server = await listen((_, reply) => void reply.end("{}"));
    const look = async (peek: (reply: never) => unknown) =>
      `${(await once(async (http) => peek((await http.get(server.url)) as never))).error}`;
    assert.match(await look((reply: { html(): void }) => reply.html()), /Cannot use "html" of the response/);
    assert.match(await look((reply: { cookies: object }) => reply.cookies), /Cannot use "cookies" of the response/);
    assert.match(await look((reply: Response) => reply.json("a.b")), /Cannot use json\("a.b"\)/);
  });
});
