import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { startProcess } from "./process.ts";
import { alive, until } from "./testing.ts";

const parentFile = fileURLToPath(new URL("./fixtures/parent.ts", import.meta.url));
const sleeper: [string, ...string[]] = ["sh", "-c", "echo $$; exec sleep 60"];

describe("a guarded process", () => {
  it("dies with its parent, by kill -9 too", async () => {
    const parent = spawn(process.execPath, [parentFile], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(parent.stdout, "data");
    const pid = Number(String(line));
    assert.ok(alive(pid));
    parent.kill("SIGKILL");
    await until("the orphan is gone", () => !alive(pid), 2_000);
  });

  it("has the program's own pid, output and exit, and leaves nothing behind", async () => {
    const lines: string[] = [];
    const command: [string, ...string[]] = ["sh", "-c", "echo $$; echo wrong >&2; exit 7"];
    const { pid, closed } = startProcess({
      command,
      orphanSignal: "SIGKILL",
      onLine: (line, stream) => lines.push(`${stream} ${line}`),
    });
    assert.deepEqual(await closed, { code: 7, signal: null });
    assert.deepEqual(lines.sort(), ["stderr wrong", `stdout ${pid}`]);
    await until("nothing of its group runs", () => {
      const { stdout } = spawnSync("ps", ["-eo", "pgid=,stat="], { encoding: "utf8" });
      return !stdout.split("\n").some((line) => new RegExp(`^ *${pid} +[^Z]`).test(line));
    });
  });

  it("gets the signals it is sent", async () => {
    const lines: string[] = [];
    const sleeping = startProcess({ command: sleeper, orphanSignal: "SIGKILL", onLine: (line) => lines.push(line) });
    await until("it runs", () => lines.length > 0);
    assert.equal(sleeping.signal("SIGTERM"), true);
    assert.deepEqual(await sleeping.exited, { code: null, signal: "SIGTERM" });
    assert.equal(sleeping.signal("SIGTERM"), false);
  });
});
