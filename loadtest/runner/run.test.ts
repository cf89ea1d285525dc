import assert from "node:assert/strict";
import type { RequestListener, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { eventually, listen } from "@shop/platform/testing";
import { perVu, prepare } from "./testing.ts";

type Modules = Parameters<Parameters<typeof prepare>[1]>[0];

const ok: RequestListener = (_, reply) => void reply.end("ok");

/** A server that answers nobody until it is told to. */
async function holding() {
  const held: ServerResponse[] = [];
  const arrivedMs: number[] = [];
  const left: string[] = [];
  const server = await listen((request, reply) => {
    reply.on("close", () => left.push(`${request.url}`));
    arrivedMs.push(performance.now());
    held.push(reply);
    if (held.length === releaseAt) for (const one of held) one.end("ok");
  });
  let releaseAt = Number.POSITIVE_INFINITY;
  return {
    url: server.url,
    arrivedMs,
    left,
    releaseAfter: (count: number) => {
      releaseAt = count;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const arrivals = (more: Record<string, unknown>) => ({
  executor: "constant-arrival-rate",
  rate: 100,
  duration: "1s",
  preAllocatedVUs: 1,
  maxVUs: 200,
  ...more,
});

describe("an arrival rate", () => {
  it("goes on while the server answers nobody, and the waiting is measured (no coordinated omission)", async () => {
    await using server = await holding();
    server.releaseAfter(100); // a closed loop would wait here for ever
    const run = prepare({ scenarios: { a: arrivals({}) } }, ({ http }) => ({
      default: () => http.asyncRequest("GET", server.url),
    }));
    const { elapsedMs } = await run.start();
    assert.equal(run.value("http_reqs", "count"), 100);
    assert.equal(run.value("dropped_iterations", "count"), 0);
    assert.ok(elapsedMs >= 990, `the last came at its time: ${elapsedMs} ms`);
    const last = server.arrivedMs.at(-1) ?? 0;
    const waits = server.arrivedMs.map((ms) => last - ms);
    const average = waits.reduce((sum, ms) => sum + ms) / waits.length;
    assert.ok((run.value("http_req_duration", "max") ?? 0) >= Math.max(...waits));
    assert.ok((run.value("http_req_duration", "avg") ?? 0) >= average);
  });

  it("drops what finds no free user, counts it, and interrupts what is not answered", async () => {
    await using server = await holding();
    const common = { preAllocatedVUs: 3, duration: "500ms", gracefulStop: "0s" };
    const scenarios = { more: arrivals({ ...common, maxVUs: 5 }), same: arrivals({ ...common, maxVUs: undefined }) };
    const run = prepare({ scenarios }, ({ http }) => ({ default: () => http.asyncRequest("GET", server.url) }));
    const dropped = ["more", "same"].map((name) => run.select(`dropped_iterations{scenario:${name}}`));
    await run.start();
    assert.deepEqual(
      dropped.map(({ sink }) => sink.aggregate("count", 1)),
      [45, 47],
    );
    assert.equal(run.value("vus_max", "value"), 8);
    const { complete, interrupted, busyVus } = run.progress();
    assert.deepEqual({ complete, interrupted, busyVus }, { complete: 0, interrupted: 8, busyVus: 0 });
    assert.equal(run.progress().dropped, 92);
    for (const metric of ["iterations", "http_reqs"]) assert.equal(run.value(metric, "count"), 0, metric);
    assert.equal(run.value("iteration_duration", "count"), 0);
  });

  it("counts per time unit, and rises and falls from stage to stage", async () => {
    const unit = { timeUnit: "100ms", preAllocatedVUs: 50 };
    const stages = [
      { target: 30, duration: "100ms" },
      { target: 10, duration: "100ms" },
    ];
    const scenarios = {
      even: arrivals({ ...unit, rate: 10, duration: "200ms" }),
      ramp: { ...unit, executor: "ramping-arrival-rate", startRate: 10, stages },
    };
    const run = prepare({ scenarios }, () => ({ default: () => {} }));
    const counts = ["even", "ramp"].map((name) => run.select(`iterations{scenario:${name}}`));
    await run.start();
    assert.deepEqual(
      counts.map(({ sink }) => sink.aggregate("count", 1)),
      [20, 40],
    );
  });

  it("uses its users in turn, and each keeps its connection", async () => {
    const ports = new Set<number | undefined>();
    await using server = await listen((request, reply) => {
      ports.add(request.socket.remotePort);
      reply.end("ok");
    });
    const scenario = arrivals({ preAllocatedVUs: 4, maxVUs: 4, duration: "400ms" });
    const users: number[] = [];
    const run = prepare({ scenarios: { a: scenario } }, ({ http }) => ({
      async default() {
        await http.asyncRequest("GET", server.url);
        users.push(0);
      },
    }));
    await run.start();
    assert.equal(users.length + (run.value("dropped_iterations", "count") ?? 0), 40);
    assert.equal(ports.size, 4);
  });

  it("finishes in the grace what is under way at the end", async () => {
    await using server = await holding();
    server.releaseAfter(10);
    const run = prepare({ scenarios: { a: arrivals({ duration: "100ms" }) } }, ({ http }) => ({
      default: () => http.asyncRequest("GET", server.url),
    }));
    await run.start();
    assert.deepEqual([run.progress().complete, run.progress().interrupted], [10, 0]);
  });
});

describe("per-vu-iterations", () => {
  it("begins with all users at once", async () => {
    await using server = await holding();
    server.releaseAfter(300); // more than Bun's fetch has under way at once
    const run = prepare({ scenarios: { herd: perVu({ vus: 300 }) } }, ({ http }) => ({
      default: () => http.asyncRequest("GET", server.url),
    }));
    await run.start();
    assert.equal(run.value("http_reqs", "count"), 300);
    assert.equal(run.value("http_req_failed", "rate"), 0);
    assert.equal(run.value("vus", "max"), 300);
  });

  it("runs a user's iterations one after the other", async () => {
    const order: string[] = [];
    const run = prepare({ scenarios: { a: perVu({ vus: 2, iterations: 3 }) } }, ({ sleep }) => {
      let busy = 0;
      return {
        async default() {
          order.push(`${++busy <= 2}`);
          await sleep(0.001);
          busy -= 1;
        },
      };
    });
    await run.start();
    assert.deepEqual(order, Array(6).fill("true"));
    assert.equal(run.value("iterations", "count"), 6);
  });

  it("drops what maxDuration leaves no time for", async () => {
    const scenario = perVu({ iterations: 3, maxDuration: "50ms", gracefulStop: "0s" });
    const run = prepare({ scenarios: { a: scenario } }, ({ sleep }) => ({ default: () => sleep(60) }));
    await run.start();
    const { complete, interrupted, dropped } = run.progress();
    assert.deepEqual({ complete, interrupted, dropped }, { complete: 0, interrupted: 1, dropped: 2 });
    assert.equal(run.value("dropped_iterations", "count"), 2);
  });

  it("begins nothing within the grace, which is for what is under way", async () => {
    const scenario = perVu({ iterations: 3, maxDuration: "50ms" });
    const run = prepare({ scenarios: { a: scenario } }, ({ sleep }) => ({ default: () => sleep(0.1) }));
    await run.start();
    const { complete, interrupted, dropped } = run.progress();
    assert.deepEqual({ complete, interrupted, dropped }, { complete: 1, interrupted: 0, dropped: 2 });
  });
});

describe("a run", () => {
  it("begins a scenario at its time, with its function and its tags", async () => {
    const begun: string[] = [];
    const scenarios = {
      late: perVu({ startTime: "200ms", exec: "second", tags: { kind: "late" } }),
      early: perVu(),
    };
    const run = prepare({ scenarios, tags: { run: "7" } }, ({ Counter }) => {
      const counter = new Counter("marks");
      const mark = (name: string) => () => {
        begun.push(name);
        counter.add(1, { own: name });
      };
      return { setup: mark("setup"), default: mark("first"), second: mark("second") };
    });
    const setup = run.select("marks{run:7,group:::setup}");
    const late = run.select("marks{run:7,scenario:late,kind:late,own:second}");
    const early = run.select("marks{run:7,scenario:early,own:first}");
    const { elapsedMs } = await run.start();
    assert.deepEqual(begun, ["setup", "first", "second"]);
    assert.ok(elapsedMs >= 200);
    assert.deepEqual(
      [setup, late, early].map(({ sink }) => sink.aggregate("count", 1)),
      [1, 1, 1],
    );
  });

  it("knows how long it may take, so that its progress can be judged", () => {
    const stages = [
      { target: 1, duration: "2s" },
      { target: 1, duration: "3s" },
    ];
    const ramp = { executor: "ramping-arrival-rate", startTime: "1s", preAllocatedVUs: 1, stages };
    const herd = perVu({ startTime: "3s", maxDuration: "4s" });
    const plannedMs = (scenarios: object) => prepare({ scenarios }, () => ({ default: () => {} })).progress().plannedMs;
    assert.deepEqual([plannedMs({ ramp }), plannedMs({ ramp, herd })], [6_000, 7_000]);
  });

  it("hands setup's result, as JSON keeps it, to every iteration and to teardown", async () => {
    const seen: unknown[] = [];
    const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, () => ({
      setup: () => ({ at: new Date(0), none: undefined }),
      default: (data) => void seen.push(data),
      teardown: (data) => void seen.push(data),
    }));
    await run.start();
    assert.deepEqual(seen, Array(3).fill({ at: "1970-01-01T00:00:00.000Z" }));
  });

  it("ends when setup fails, without an iteration", async () => {
    const run = prepare({ scenarios: { a: perVu() } }, () => ({
      setup: () => Promise.reject(new Error("no shop")),
      default: () => {},
    }));
    assert.equal((await run.start()).error?.message, "no shop");
    assert.equal(run.progress().complete, 0);
  });

  it("checks, asks and waits within its functions only", () => {
    for (const [name, call] of [
      ["check", ({ check }: Modules) => check(1, {})],
      ["sleep", ({ sleep }: Modules) => sleep(1)],
      ["http.get", ({ http }: Modules) => http.get("http://127.0.0.1:1")],
    ] as const) {
      const atTheTop = (modules: Modules) => {
        call(modules);
        return { default: () => {} };
      };
      assert.throws(() => prepare({ scenarios: { a: perVu() } }, atTheTop), {
        message: `Cannot call "${name}": only an iteration, setup and teardown can`,
      });
    }
  });

  it("takes numbers only for a metric, and new metrics only at the top", async () => {
    const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, ({ Counter }) => {
      const counter = new Counter("marks");
      const deeds = [() => counter.add("x" as never), () => new Counter("late")];
      return { default: () => void deeds.pop()?.() };
    });
    await run.start();
    assert.deepEqual(run.warnings, [
      'Cannot create the metric "late": only the top of a script can',
      'Cannot add "x" to marks: not a number',
    ]);
    assert.equal(run.value("marks", "count"), 0);
  });

  for (const phase of ["setup", "teardown"]) {
    it(`ends when ${phase} takes longer than it may`, async () => {
      const options = { scenarios: { a: perVu() }, [`${phase}Timeout`]: "50ms" };
      const run = prepare(options, () => ({ default: () => {}, [phase]: () => new Promise(() => {}) }));
      assert.equal((await run.start()).error?.message, `"${phase}" took longer than 50 ms`);
    });
  }

  it("tells an iteration's error, and goes on", async () => {
    const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, () => ({
      default: () => {
        throw new Error("sold out");
      },
    }));
    const { error } = await run.start();
    assert.equal(error, undefined);
    assert.deepEqual(run.warnings, ["sold out", "sold out"]);
    assert.equal(run.value("iterations", "count"), 2);
  });

  it("ends at once when a threshold that aborts is crossed, and goes on when none, not yet, or without a sample", async () => {
    const aborting = (threshold: string, delayAbortEval = "0s") => ({ threshold, abortOnFail: true, delayAbortEval });
    const ending = prepare(
      {
        scenarios: { a: perVu({ iterations: 1_000_000 }) },
        thresholds: { checks: ["rate<1", aborting("rate>0.5", "100ms")] },
      },
      ({ check, sleep }) => ({
        async default() {
          check(0, { fails: false });
          await sleep(0.01);
        },
        teardown() {
          for (let count = 0; count < 100_000; count++) check(1, { passes: true });
        },
      }),
    );
    const going = prepare(
      {
        scenarios: { a: perVu({ vus: 2 }) },
        thresholds: { checks: ["rate>0.5", aborting("rate>0.5", "1h")], http_reqs: [aborting("count>0")] },
      },
      ({ check, sleep }) => {
        let begun = 0;
        return {
          default() {
            check(0, { fails: false });
            return begun++ === 0 ? sleep(2.1) : undefined; // k6 judges every two seconds
          },
        };
      },
    );
    const [ended, gone] = await Promise.all([ending.start(), going.start()]);
    assert.ok(ended.elapsedMs < 10_000);
    const oks = ({ verdicts }: typeof ended) => verdicts.map(({ ok }) => ok);
    assert.deepEqual(oks(ended), [true, false], "what has ended a run stays crossed, whatever comes after");
    assert.deepEqual(oks(gone), [false, false, false]);
    assert.deepEqual([going.progress().complete, going.progress().interrupted], [2, 0]);
    assert.equal(going.value("vus", "value"), 1, "the users are counted every second");
  });

  it("ends at once when it is stopped", async () => {
    await using server = await holding();
    const scenarios = {
      busy: perVu({ vus: 3, iterations: 2 }),
      waiting: perVu({ startTime: "1h" }),
      arriving: arrivals({ rate: 1, duration: "1h" }),
    };
    const run = prepare({ scenarios }, ({ http }) => ({ default: () => http.asyncRequest("GET", server.url) }));
    const ended = run.start();
    await eventually("four ask", () => server.arrivedMs.length === 4);
    run.stop();
    await ended;
    assert.deepEqual([run.progress().interrupted, run.progress().complete], [4, 0]);
    await eventually("nobody waits at the server any more", () => server.left.length === 4);
    assert.equal(server.arrivedMs.length, 4);
  });

  it("asks nothing more for an iteration that was interrupted", async () => {
    const asked: (string | undefined)[] = [];
    await using server = await listen((request, reply) => {
      asked.push(request.url);
      reply.end();
    });
    const pause = Promise.withResolvers<void>();
    const scenarios = { a: perVu({ maxDuration: "10ms", gracefulStop: "0s" }) };
    const run = prepare({ scenarios }, ({ http }) => ({
      async default() {
        await pause.promise;
        await http.get(`${server.url}/late`);
      },
      async teardown() {
        pause.resolve();
        for (let count = 0; count < 3; count++) await http.get(`${server.url}/teardown`);
      },
    }));
    await run.start();
    assert.deepEqual(asked, Array(3).fill("/teardown"));
  });

  it("does not even begin when it is stopped before", async () => {
    const begun: string[] = [];
    const run = prepare({ scenarios: { a: perVu() } }, () => ({
      setup: () => void begun.push("setup"),
      default: () => void begun.push("default"),
      teardown: () => void begun.push("teardown"),
    }));
    run.stop();
    await run.start();
    assert.deepEqual(begun, []);
  });

  it("ends within setup when it is stopped there, without an iteration and without teardown", async () => {
    const begun: string[] = [];
    const run = prepare({ scenarios: { a: perVu() } }, ({ sleep }) => ({
      async setup() {
        begun.push("setup");
        await sleep(3_600);
      },
      default: () => void begun.push("default"),
      teardown: () => void begun.push("teardown"),
    }));
    const ended = run.start();
    await eventually("it has begun", () => begun.length > 0);
    run.stop();
    assert.equal((await ended).error, undefined);
    assert.deepEqual(begun, ["setup"]);
  });

  it("has its teardown also when it is stopped", async () => {
    let tornDown = false;
    let asleep = false;
    const run = prepare({ scenarios: { a: perVu() } }, ({ sleep }) => ({
      default() {
        asleep = true;
        return sleep(3_600);
      },
      async teardown() {
        await sleep(0.001);
        tornDown = true;
      },
    }));
    const ended = run.start();
    await eventually("an iteration is under way", () => asleep);
    run.stop();
    await ended;
    assert.ok(tornDown);
  });

  it("counts each check, and a check whose function throws as failed", async () => {
    const answers: boolean[] = [];
    const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, ({ check }) => ({
      default: () => {
        answers.push(check(1, { "is two": (one: number) => one === 2, "is one": (one: number) => one === 1 }));
        answers.push(check(1, { "is one": true }, { by: "hand" }));
        check(1, {
          throws: () => {
            throw new Error("oh");
          },
        });
      },
    }));
    const named = run.select("checks{check:is one}");
    const tagged = run.select("checks{by:hand}");
    await run.start();
    assert.deepEqual(answers, [false, true, false, true]);
    assert.deepEqual([named.sink.aggregate("passes", 1), tagged.sink.aggregate("passes", 1)], [4, 2]);
    assert.deepEqual(Object.fromEntries(run.checks), {
      "is one": { passes: 4, fails: 0 },
      "is two": { passes: 0, fails: 2 },
      throws: { passes: 0, fails: 2 },
    });
    assert.equal(run.value("checks", "passes"), 4);
    assert.equal(run.value("checks", "fails"), 4);
  });

  it("refuses a check whose function is asynchronous, as k6 does", async () => {
    const run = prepare({ scenarios: { a: perVu() } }, ({ check }) => ({
      default: () => void check(1, { later: async () => false }),
    }));
    assert.match(`${(await run.start()).error}`, /Cannot check "later": its function is asynchronous/);
  });

  for (const [what, call] of [
    ["http.get", "get"],
    ["sleep", "sleep"],
  ] as const) {
    it(`refuses a script that does not await ${what}, for k6 would have waited`, async () => {
      await using server = await listen(ok);
      const run = prepare({ scenarios: { a: perVu({ iterations: 5 }) } }, ({ http, sleep }) => ({
        default: () => void (call === "get" ? http.get(server.url) : sleep(0)),
      }));
      const { error } = await run.start();
      assert.match(`${error?.message}`, new RegExp(`^Cannot go on after "${what}".*await ${what}`));
      assert.ok(run.progress().complete < 5);
    });
  }

  it("refuses a look into an answer that was not awaited", async () => {
    await using server = await listen(ok);
    const run = prepare({ scenarios: { a: perVu() } }, ({ http, check }) => ({
      default: () => void check(http.get(server.url), { ok: (reply: { status: number }) => reply.status === 200 }),
    }));
    const { error } = await run.start();
    assert.match(`${error}`, /Cannot read "status" of a request under way: write "await http.get/);
  });

  it("waits at an iteration's end for requests that k6 runs beside it", async () => {
    await using server = await listen(ok);
    const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, ({ http }) => ({
      default: () => void http.asyncRequest("GET", server.url),
    }));
    const { error } = await run.start();
    assert.equal(error, undefined);
    assert.equal(run.value("http_reqs", "count"), 2);
  });

  it("waits at an iteration's end for what the script has chained on a request, too", async () => {
    await using server = await listen(ok);
    const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, ({ http, check }) => ({
      default: () => void http.asyncRequest("GET", server.url).then((reply) => check(reply, { ok: () => false })),
    }));
    await run.start();
    assert.equal(run.value("http_reqs", "count"), 2);
    assert.equal(run.value("checks", "fails"), 2);
  });

  it("ends at what the runner does not have, also within an iteration, and also where the script catches it", async () => {
    for (const [work, message] of [
      [({ http }: Modules) => void (http as unknown as { batch(): void }).batch(), /^Cannot use "batch" of/],
      [({ http }: Modules) => http.asyncRequest("GET", "ftp://x").catch(() => {}), /^Cannot ask "ftp:/],
    ] as const) {
      const run = prepare({ scenarios: { a: perVu({ iterations: 2 }) } }, (modules) => ({
        default: () => work(modules),
      }));
      const { error } = await run.start();
      assert.match(`${error?.message}`, message);
    }
  });
});
