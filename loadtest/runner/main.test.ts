import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, freePort, listen } from "@shop/platform/testing";
import type { SummaryData } from "../summary.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
let folder: string;
const asked: (string | undefined)[] = [];
let server: Awaited<ReturnType<typeof listen>>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "loadtest-"));
  server = await listen((request, reply) => {
    asked.push(request.url);
    if (request.url !== "/never") reply.writeHead(request.url === "/500" ? 500 : 200).end("{}");
  });
});

after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

type Ended = { code: number | null; stdout: string; stderr: string };

/** Starts the runner as a process; `ended` when it is gone. */
function start(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (text) => {
      said[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...said })));
  return { child, said, ended };
}

let scripts = 0;

async function script(source: string): Promise<string> {
  const path = join(folder, `script-${++scripts}.ts`);
  await writeFile(path, source);
  return path;
}

const run = async (source: string, ...args: string[]): Promise<Ended> =>
  start(["run", ...args, "-e", `URL=${server.url}`, await script(source)]).ended;

const simple = (thresholds: object, path = "/") => `
  import http from "k6/http";
  export const options = {
    scenarios: { one: { executor: "per-vu-iterations", vus: 2, iterations: 2 } },
    thresholds: ${JSON.stringify(thresholds)},
  };
  export default async () => void (await http.get(\`\${__ENV.URL}${path}\`));
`;

describe("the runner's exit code", () => {
  it("is 0 when every threshold holds", async () => {
    const { code, stdout, stderr } = await run(simple({ http_reqs: ["count==4"], http_req_failed: ["rate==0"] }));
    assert.equal(code, 0, stderr);
    assert.match(stdout, /✓ 'count==4' count=4/);
    assert.doesNotMatch(stderr, /crossed|late/);
  });

  it("is 99 when one is crossed, which it names with what it saw", async () => {
    const { code, stdout, stderr } = await run(simple({ http_reqs: ["count>3", "count>4"] }));
    assert.equal(code, 99);
    assert.match(stderr, /^Threshold crossed: http_reqs should have count>4, has count=4$/m);
    assert.doesNotMatch(stderr, /count>3/);
    assert.match(stdout, /✓ 'count>3' count=4\n +✗ 'count>4' count=4/);
  });

  it("is 99 when nobody listens, for those requests have failed", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, stderr } = await run(simple({ http_req_failed: ["rate==0"] }), "-e", `URL=${url}`, "-e", "UNUSED=1");
    assert.equal(code, 0, "the last -e wins");
    const path = await script(simple({ http_req_failed: ["rate==0"] }));
    const refused = await start(["run", "-e", `URL=${url}`, path]).ended;
    assert.equal(refused.code, 99, stderr);
    assert.match(refused.stderr, /Request failed: .*ECONNREFUSED/);
    assert.match(refused.stderr, /Threshold crossed: http_req_failed should have rate==0, has rate=1/);
  });

  it("is 105 after a signal, whatever was crossed then, with the summary of what was done", async () => {
    const { child, ended } = start([
      "run",
      "-e",
      `URL=${server.url}`,
      await script(simple({ iterations: ["count==4"] }, "/never")),
    ]);
    await eventually("both users wait for an answer", () => asked.filter((url) => url === "/never").length === 2);
    child.kill("SIGINT");
    child.kill("SIGTERM"); // the first one again: to a group, and passed on
    assert.equal((await ended).code, 105);
    assert.match((await ended).stderr, /0 iterations complete \(0.0\/s\), 2 interrupted/);
    assert.match((await ended).stderr, /^Cannot finish "script-\d+": a signal has ended it$/m);
    assert.match((await ended).stdout, /vus_max/);
  });

  describe("is 105 after a signal", () => {
    /** Both users wait for an answer, and teardown would take long. */
    async function waiting(teardownSeconds: number) {
      const slow = `import { sleep } from "k6";${simple({}, "/never")}\nexport const teardown = () => sleep(${teardownSeconds});`;
      const before = asked.length;
      const started = start(["run", "-e", `URL=${server.url}`, await script(slow)]);
      await eventually("both users wait for an answer", () => asked.length === before + 2);
      return started;
    }

    it("at once after a second one, however long the script still takes", async () => {
      const { child, ended } = await waiting(50);
      await eventually("the runner is gone", () => child.exitCode !== null || !child.kill("SIGINT"));
      const { code, stdout } = await ended;
      assert.deepEqual([code, stdout], [105, ""]);
    });

    it("with the figures, unless the script is in an endless loop", { timeout: 20_000 }, async () => {
      const loop = await script(simple({}).replace(/async .*;/, '() => { console.log("looping"); while (true) {} };'));
      const looping = (["SIGINT", "SIGTERM"] as const).map(async (signal) => {
        const { child, said, ended } = start(["run", loop]);
        await eventually("it loops", () => said.stderr === "looping\n");
        child.kill(signal);
        const { code, stderr } = await ended;
        assert.equal(code, 105);
        assert.match(stderr, /^Cannot finish "script-\d+": it does not answer, .*; its figures are lost$/m);
      });
      const { child, ended } = await waiting(3.5);
      child.kill("SIGTERM");
      const { code, stdout } = await ended;
      assert.equal(code, 105);
      assert.match(stdout, /vus_max/);
      await Promise.all(looping);
    });
  });

  it("is 107 when the script ends the runner, which k6 has no way for", async () => {
    const { code, stderr } = await run(`${simple({})}\nexport const setup = () => process.exit(0);`);
    assert.equal(code, 107);
    assert.match(stderr, /^Cannot finish "script-\d+": its thread has ended$/m);
  });

  it("is 107 when the script itself fails", async () => {
    const { code, stderr } = await run(`${simple({})}\nexport const setup = () => { throw new Error("no shop"); };`);
    assert.equal(code, 107);
    assert.match(stderr, /^Cannot finish "script-\d+": no shop$/m);
  });
});

it("says when the runner itself was late, for then its figures are not the server's", async () => {
  const busy = `
    export const options = { scenarios: { one: {
      executor: "constant-arrival-rate", rate: 100, duration: "300ms", preAllocatedVUs: 30 } } };
    export default () => { const start = Date.now(); while (Date.now() - start < 30); };
  `;
  const file = join(folder, "busy.json");
  const { code, stderr } = await run(busy, "-e", `SUMMARY=${file}`);
  assert.equal(code, 0);
  const { metrics } = JSON.parse(await readFile(file, "utf8"));
  assert.ok(metrics.iteration_duration.values.min < metrics.runner_start_lag.values.max, "counted from its begin");
  assert.match(
    stderr,
    /^The runner itself was late: one iteration in twenty began more than \d{3,} ms after its time$/m,
  );
});

it("tells what a script throws where nobody can catch it, and keeps the figures", async () => {
  const source = `
    import { sleep } from "k6";
    export const options = { scenarios: { one: { executor: "per-vu-iterations", iterations: 2 } } };
    export default async () => {
      setTimeout(() => { throw new Error("in a timer"); });
      await sleep(0.01);
      void Promise.reject("in a promise");
    };
  `;
  const { code, stdout, stderr } = await run(source);
  assert.equal(code, 0);
  assert.match(stderr, /^2 times: in a timer$/m);
  assert.match(stderr, /^2 times: in a promise$/m);
  assert.match(stdout, /^ +iterations\.+: 2 /m);
});

it("hands the environment on to the script, and -e before it", async () => {
  const path = await script("throw [__ENV.FIRST, __ENV.SECOND].join();");
  const { stderr } = await start(["run", "-e", "SECOND=e=2", path], { FIRST: "1", SECOND: "2" }).ended;
  assert.match(stderr, /: 1,e=2$/m);
});

it("leaves stdout to the summary: a script's console goes to stderr, as in k6", async () => {
  const { stdout, stderr } = await run(`${simple({})}\nconsole.log("read", { by: "k6" });`);
  assert.match(stderr, /^read \{ by: 'k6' \}$/m);
  assert.doesNotMatch(stdout, /read/);
});

describe("a script that the runner cannot run", () => {
  for (const [what, source, message] of [
    [
      "a function of k6",
      'import { group } from "k6"; group;',
      /^Cannot run "script-\d+.ts": the runner's "k6" has no "group"$/,
    ],
    ["a module of k6", 'import exec from "k6/execution"; exec;', /: the runner has "k6", "k6\/http" and "k6\/metrics"/],
    [
      "a script from the network",
      'import { x } from "https://jslib.k6.io/x.js"; x;',
      /reads no script from the network/,
    ],
    ["no TypeScript", "const = 1;", /^Cannot run "script-\d+.ts": .* \(.*script-\d+\.ts:1:7\)$/],
    ["a file of its own", 'open("data.csv");', /^Cannot run .*: Cannot use "open": the runner does not implement it$/],
    ["an option", "export const options = { vus: 1, scenarios: {} };", /^Cannot /],
    ["an executor", simple({}).replace("per-vu-iterations", "constant-vus"), /the runner has no "constant-vus", only/],
    [
      "a threshold",
      simple({ group_duration: ["avg<1"] }),
      /^Cannot find the metric "group_duration": nobody defines it$/,
    ],
    ["a function that is not there", simple({}).replace("iterations: 2", 'exec: "buy"'), /exports no function "buy"$/],
  ] as const) {
    it(`${what}: says so, with exit code 104`, async () => {
      const { code, stdout, stderr } = await run(source);
      assert.match(stderr.trim(), message);
      assert.deepEqual([code, stdout], [104, ""]);
    });
  }

  for (const [what, args, message] of [
    ["a file that is not there", ["run", "/no.ts"], /^Cannot run "no.ts": Cannot find module '\/no.ts'$/],
    [
      "another command",
      ["walk", "x.ts"],
      /^Cannot read the command line "walk x.ts": should be run \[-e NAME=value\] /,
    ],
    ["no script", ["run"], /^Cannot read the command line "run": /],
    ["two", ["run", "x.ts", "y.ts"], /^Cannot read the command line "run x.ts y.ts": /],
    ["a variable without a value", ["run", "-e", "A", "x.ts"], /^Cannot read -e "A": should be NAME=value$/],
    ["another option", ["run", "--vus", "1", "x.ts"], /^Unknown option '--vus'/],
  ] as const) {
    it(`${what}: 104 too`, async () => {
      const { code, stderr } = await start([...args]).ended;
      assert.match(stderr.trim(), message);
      assert.equal(code, 104);
    });
  }
});

describe("a summary", () => {
  const source = `
    import http from "k6/http";
    import { check } from "k6";
    import { Trend } from "k6/metrics";
    const own = new Trend("own", true);
    export const options = {
      scenarios: { one: { executor: "per-vu-iterations", iterations: 10 } },
      thresholds: { "own{which:odd}": ["max<=9"], "http_reqs{status:500}": ["count==0"] },
      summaryTrendStats: ["avg", "p(99)"],
    };
    export const setup = () => ({ vu: __VU });
    export default async () => {
      check(await http.get(__ENV.URL), { answered: ({ status }) => status === 200 && __VU === 1 });
      own.add(__ITER, { which: __ITER % 2 === 0 ? "even" : "odd" });
    };
  `;

  it("is the data that k6 gives to handleSummary, as JSON", async () => {
    const file = join(folder, "deep", "summary.json");
    const { code, stdout, stderr } = await run(source, "-e", `SUMMARY=${file}`);
    assert.equal(code, 0, stderr);
    const data: SummaryData = JSON.parse(await readFile(file, "utf8"));
    assert.deepEqual(data.root_group.checks, [{ name: "answered", path: "::answered", passes: 10, fails: 0 }]);
    assert.deepEqual(data.metrics.own, { type: "trend", contains: "time", values: { avg: 4.5, "p(99)": 8.91 } });
    assert.deepEqual(data.metrics["own{which:odd}"]?.thresholds, { "max<=9": { ok: true } });
    assert.deepEqual(data.metrics["own{which:odd}"]?.values, { avg: 5, "p(99)": 8.92 });
    const { testRunDurationMs } = data.state;
    assert.deepEqual(data.metrics.http_reqs?.values, { count: 10, rate: (10 / testRunDurationMs) * 1_000 });
    assert.deepEqual(data.metrics["http_reqs{status:500}"]?.values, { count: 0, rate: 0 });
    assert.equal(data.metrics.dropped_iterations, undefined, "nobody asked for it");
    assert.deepEqual(data.metrics.vus?.values, { value: 1, min: 1, max: 1 });
    assert.deepEqual(data.metrics.http_req_failed?.values, { rate: 0, passes: 0, fails: 10 });
    assert.deepEqual(data.setup_data, { vu: 0 });
    assert.match(stdout, /^ +✓ answered$/m);
    assert.match(stdout, /^ +own\.+: avg=4.5ms p\(99\)=8.91ms$/m);
    assert.match(stdout, /^ +\{ which:odd \}\.+: avg=5ms p\(99\)=8.92ms$/m);
  });

  it("is what the script's own handleSummary answers", async () => {
    const file = join(folder, "own.txt");
    const own = `export const handleSummary = (data) => ({
      stdout: "on stdout " + data.metrics.http_reqs.values.count, stderr: "on stderr\\n", [${JSON.stringify(file)}]: "in a file" });`;
    const { stdout, stderr } = await run(source + own);
    assert.equal(stdout, "on stdout 10");
    assert.match(stderr, /^on stderr$/m);
    assert.equal(await readFile(file, "utf8"), "in a file");
  });

  for (const [what, own, message] of [
    ["throws", '() => { throw "no figures"; }', /^Cannot use the script's own summary: no figures$/m],
    ["answers no object", '() => "text"', / summary: "handleSummary" should answer an object, not string$/m],
    ["takes too long", "() => new Promise(() => {})", / summary: "handleSummary" took longer than 50 ms$/m],
    ["answers nothing", "() => {}", /^(?!.*Cannot)/s],
  ] as const) {
    it(`is the usual one where handleSummary ${what}; the exit code is the run's, as in k6`, async () => {
      const file = join(folder, `${what}.json`);
      const limited = source.replace("scenarios", 'handleSummaryTimeout: "50ms", scenarios');
      const ended = await run(`${limited}\nexport const handleSummary = ${own};`, "-e", `SUMMARY=${file}`);
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stderr, message);
      assert.match(ended.stdout, /^ +http_reqs\.+: 10 /m);
      assert.equal(JSON.parse(await readFile(file, "utf8")).metrics.http_reqs.values.count, 10);
    });
  }

  it("that cannot be written is told, and the rest of it is given out all the same", async () => {
    const own = `export const handleSummary = () => ({ ${JSON.stringify(folder)}: "x", number: 1, stdout: "the rest" });`;
    const { code, stdout, stderr } = await run(source.replace("max<=9", "max<9") + own);
    assert.deepEqual([code, stdout], [99, "the rest"]);
    assert.match(stderr, /^Cannot write the summary to ".*loadtest-.*": EISDIR/m);
    assert.match(stderr, /^Cannot write the summary to "number": should be text, not number$/m);
    assert.match(stderr, /^Threshold crossed: own/m);
  });

  it("arrives whole, however late it is read", async () => {
    const own = 'export const handleSummary = () => ({ stdout: "x".repeat(300_000) });';
    const path = await script(source.replace("max<=9", "max<9") + own);
    const child = spawn(process.execPath, [main, "run", "-e", `URL=${server.url}`, path], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    await eventually("the last line is there", () => /Threshold crossed/.test(stderr));
    assert.equal((await child.stdout.toArray()).join("").length, 300_000);
  });
});
