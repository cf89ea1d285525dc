import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { input, jsonInput, operation } from "./api.ts";
import { createApp } from "./app.ts";
import { assertProblem, testTelemetry } from "./testing.ts";

const Thing = v.strictObject({ name: v.string(), count: v.pipe(v.number(), v.integer(), v.minValue(1)) });

function openApp() {
  const app = createApp({ telemetry: testTelemetry(), info: { title: "things", description: "Things." } });
  app.get(
    "/things/:name",
    operation({ summary: "One thing", answers: { 200: Thing }, problems: ["invalid", "not_found"] }),
    input("param", v.object({ name: v.pipe(v.string(), v.regex(/^[a-z]{1,8}$/)) })),
    input("query", v.object({ limit: v.optional(v.pipe(v.string(), v.regex(/^\d$/)), "5") })),
    (c) => c.json({ ...c.req.valid("param"), count: Number(c.req.valid("query").limit) }),
  );
  app.post(
    "/things",
    operation({
      summary: "Keep a thing",
      answers: { 201: Thing, 202: undefined },
      problems: ["invalid", "out_of_stock", "unknown_item", "unsupported_media_type"],
    }),
    jsonInput(Thing),
    (c) => c.json(c.req.valid("json"), 201),
  );
  return app;
}

type Operation = {
  parameters: { in: string; name: string }[];
  requestBody: { content: Record<string, { schema?: unknown }> };
  responses: Record<number, { description: string; content?: Record<string, unknown> }>;
};
type OpenApi = { openapi: string; info: { title: string }; paths: Record<string, Record<string, Operation>> };

const json = { "Content-Type": "application/json" };
const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = json) =>
  openApp().request("/things", { method: "POST", headers, body });

describe("input", () => {
  it("hands on what fits, with defaults", async () => {
    const reply = await openApp().request("/things/cup");
    assert.deepEqual(await reply.json(), { name: "cup", count: 5 });
  });

  it("of a misfit names the field", async () => {
    const { detail } = await assertProblem(await openApp().request("/things/Cup"), "invalid");
    assert.equal(detail, "name has a wrong form");
    const other = await assertProblem(await openApp().request("/things/cup?limit=planted"), "invalid");
    assert.equal(other.detail, "limit has a wrong form");
  });

  it("refuses a parameter that is there twice", async () => {
    const { detail } = await assertProblem(await openApp().request("/things/cup?limit=1&limit=2"), "invalid");
    assert.equal(detail, "limit should be a string");
  });

  it("takes odd queries and paths without harm", async () => {
    for (const query of ["__proto__=1", "constructor=1", "limit[__proto__]=1", "%", "%ff=%ff", "=", "&&&", "?"]) {
      const reply = await openApp().request(`/things/cup?${query}`);
      assert.equal(reply.status, 200, query);
    }
    for (const path of ["%", "%ff", "%00", "..%2f..%2fetc", "__proto__", "%F0%9F%92%A9"]) {
      await assertProblem(await openApp().request(`/things/${path}`), "invalid");
    }
  });
});

describe("jsonInput", () => {
  const thing = { name: "cup", count: 2 };

  it("takes JSON, whatever the parameters and case of its media type", async () => {
    for (const type of ["application/json", "application/json; charset=utf-8", "Application/JSON"]) {
      const reply = await post(JSON.stringify(thing), { "Content-Type": type });
      assert.equal(reply.status, 201, type);
      assert.deepEqual(await reply.json(), thing);
    }
  });

  it("refuses every other media type, and none", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      "application/vnd.api+json",
      "",
    ]) {
      await assertProblem(
        await post(JSON.stringify(thing), type ? { "Content-Type": type } : {}),
        "unsupported_media_type",
      );
    }
    const bytes = new TextEncoder().encode(JSON.stringify(thing));
    await assertProblem(await post(bytes, {}), "unsupported_media_type");
  });

  it("refuses what is not JSON", async () => {
    for (const body of ["", "{", "{'a':1}", "undefined", "NaN", "{}{}", '{"name":"cup",}']) {
      const { detail } = await assertProblem(await post(body), "invalid");
      assert.equal(detail, "body is not valid JSON", body);
    }
  });

  it("refuses what is not UTF-8", async () => {
    const text = new TextEncoder().encode('{"name":"?","count":1}');
    for (const byte of [0xff, 0xc0, 0xed]) {
      const broken = text.map((value) => (value === 0x3f ? byte : value));
      const { detail } = await assertProblem(await post(broken), "invalid");
      assert.equal(detail, "body is not valid UTF-8");
    }
  });

  it("of a misfit names the field and not its value", async () => {
    const { detail } = await assertProblem(await post('{"name":"cup","count":"planted"}'), "invalid");
    assert.equal(detail, "count should be a number");
  });

  it("lets no prototype in", async () => {
    for (const key of ["__proto__", "constructor", "prototype"]) {
      const { detail } = await assertProblem(await post(`{"name":"cup","count":1,"${key}":{"polluted":1}}`), "invalid");
      assert.equal(detail, "body has an unknown field");
    }
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });

  it("survives deep nesting", async () => {
    const depth = 30_000;
    await assertProblem(await post("[".repeat(depth) + "]".repeat(depth)), "invalid");
    await assertProblem(await post('{"name":'.repeat(7_000)), "invalid");
    await assertProblem(await post(`{"name":"cup","count":${"[".repeat(depth)}${"]".repeat(depth)}}`), "invalid");
  });
});

describe("operation", () => {
  it("describes answers, problems and inputs in OpenAPI 3.1", async () => {
    const reply = await openApp().request("/openapi.json");
    const document = (await reply.json()) as OpenApi;
    assert.match(document.openapi, /^3\.1\./);
    assert.equal(document.info.title, "things");
    assert.deepEqual(Object.keys(document.paths), ["/things/{name}", "/things"]);

    const read = document.paths["/things/{name}"]?.get;
    assert.deepEqual(Object.keys(read?.responses ?? {}), ["200", "400", "404"]);
    assert.deepEqual(
      read?.parameters.map((parameter) => `${parameter.in} ${parameter.name}`),
      ["path name", "query limit"],
    );

    const keep = document.paths["/things"]?.post;
    assert.ok(keep?.requestBody.content["application/json"]?.schema);
    assert.deepEqual(Object.keys(keep.responses), ["201", "202", "400", "409", "415"]);
    assert.equal(keep.responses[202]?.content, undefined);
    assert.deepEqual(Object.keys(keep.responses[409]?.content ?? {}), ["application/problem+json"]);
    assert.equal(keep.responses[409]?.description, "Out of stock (`out_of_stock`) or Unknown item (`unknown_item`)");
  });
});
