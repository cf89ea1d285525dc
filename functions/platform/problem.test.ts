import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PeerProblem, Problem, problems } from "./problem.ts";

describe("Problem", () => {
  it("has the members of RFC 9457 and ours, and nothing of its cause", () => {
    const problem = new Problem("out_of_stock", "quantity is more than is in stock", { cause: new Error("planted") });
    assert.deepEqual(problem.body("0af7651916cd43dd8448eb211c80319c"), {
      type: "/docs/problems#out_of_stock",
      title: "Out of stock",
      status: 409,
      detail: "quantity is more than is in stock",
      code: "out_of_stock",
      traceId: "0af7651916cd43dd8448eb211c80319c",
    });
  });

  it("carries further members", () => {
    const problem = new Problem("out_of_stock", "no more", { members: { orderId: "ORDER-1" } });
    assert.equal(problem.body("t").orderId, "ORDER-1");
  });

  it("every code of the table has an error status and a title", () => {
    for (const [code, { status, title }] of Object.entries(problems)) {
      assert.ok(status >= 400 && status <= 599, code);
      assert.match(title, /^[A-Z][a-z ]+$/, code);
    }
  });
});

describe("PeerProblem", () => {
  it("is the peer's body and status, unchanged", () => {
    const body = { type: "x", title: "x", status: 418, detail: "x", code: "teapot", traceId: "theirs", extra: [1] };
    const problem = new PeerProblem("orders", body, {});
    assert.equal(problem.status, 418);
    assert.equal(problem.body(), body);
  });
});
