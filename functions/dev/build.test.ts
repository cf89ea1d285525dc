import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const skip = !Bun.which("git") && "git is not on PATH";
const script = fileURLToPath(new URL("./build.ts", import.meta.url));

const run = (...args: string[]) => runWith({}, ...args);

function runWith(variables: Record<string, string>, ...args: string[]) {
  const env = { ...process.env, ...variables };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: "utf8" });
  return { status, lines: stdout.split("\n").filter(Boolean), error: stderr.trim() };
}

describe("build", () => {
  it("builds and pushes each function that is named, one after the other", () => {
    const { status, lines } = run("--tag", "t", "--build", "echo built", "--push", "echo pushed to", "users", "orders");
    assert.equal(status, 0);
    for (const [i, name] of ["users", "orders"].entries()) {
      const [built = "", pushed, image] = lines.slice(i * 3);
      assert.match(built, new RegExp(`^built .*--build-arg FUNCTION=${name} .*--build-arg VERSION=t .*\\.$`));
      assert.match(built, new RegExp(`--tag dev\\.local/${name}:t --file functions/Dockerfile`));
      assert.deepEqual([pushed, image], [`pushed to dev.local/${name}:t`, `dev.local/${name}:t`]);
    }
  });

  it("builds all five when none is named, under the revision", () => {
    const { lines } = run("--build", "true");
    assert.equal(lines.length, 5);
    const tags = new Set(lines.map((line) => line.split(":")[1]));
    assert.equal(tags.size, 1);
    assert.match([...tags].join(), /^([0-9a-f]{7,}(-dirty)?|unversioned)$/);
  });

  it("builds with IMAGE_BUILD where no option says otherwise", () => {
    const env = { IMAGE_BUILD: "echo by the variable" };
    assert.match(runWith(env, "users").lines[0] ?? "", /^by the variable --build-arg/);
    assert.match(runWith(env, "--build", "echo by the option", "users").lines[0] ?? "", /^by the option --build-arg/);
  });

  it("labels an image with the whole commit, and says where a file was changed since", { skip }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "shop-revision-"));
    try {
      const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, encoding: "utf8" }).trim();
      await writeFile(join(folder, "file"), "as committed");
      git("init", "--quiet");
      git("add", "file");
      git(
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@localhost",
        "-c",
        "commit.gpgsign=false",
        "commit",
        "--quiet",
        "--message=one",
      );
      const variables = { GIT_DIR: join(folder, ".git"), GIT_WORK_TREE: folder };
      const labelled = () => /REVISION=(\S+)/.exec(runWith(variables, "--build", "echo", "users").lines[0] ?? "")?.[1];
      const commit = git("rev-parse", "HEAD");
      assert.equal(labelled(), commit);
      await writeFile(join(folder, "file"), "changed");
      assert.equal(labelled(), `${commit}-dirty`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("stops at what fails, says what it was, and exits 1", () => {
    const failures = {
      'Cannot build "basket": should be one of frontend, gateway, orders, inventory, users': ["users", "basket"],
      'Cannot build "dev.local/users:t": "false" ended with exit code 1': [
        "--build",
        "false",
        "--push",
        "echo",
        "users",
      ],
      'Cannot build "dev.local/users:t": "no-such" cannot be run': ["--build", "no-such", "users"],
      'Cannot push "dev.local/users:t": "false" ended with exit code 1': [
        "--build",
        "true",
        "--push",
        "false",
        "users",
      ],
    };
    for (const [message, args] of Object.entries(failures)) {
      assert.deepEqual(run("--tag", "t", ...args), { status: 1, lines: [], error: message });
    }
  });
});
