import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a command of the tools did on a machine whose kind, kubectl and docker are not real. */
export type Outcome = {
  code: number | null;
  output: string;
  error: string;
  /** Every call of such a program; a tag, a folder and what a build is told about its image are left out. */
  calls: string[];
  /** What kustomize makes of the folder that was applied. */
  applied: string;
  /** What is left in the folder for temporary files. */
  left: string[];
};

type Options = {
  /** What the calls do that are like a shell's pattern, beside writing themselves down. */
  answers?: Record<string, string>;
  env?: Record<string, string>;
};

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs `cluster:up` or `cluster:down`; only kubectl's kustomize is the real one. */
export async function withFakes(command: "up" | "down", args: string[], { answers, env }: Options): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "shop-fakes-"));
  const text = (name: string) => readFile(join(folder, name), "utf8").catch(() => "");
  const kustomize = `"${Bun.which("kubectl")}" kustomize "$last"`;
  const cases = {
    ...answers,
    "kubectl *kustomize *": `${kustomize} | tee "${folder}/applied"`,
  };
  const branches = Object.entries(cases).map(([pattern, action]) => `${quoted(pattern)}) ${action} ;;`);
  try {
    for (const name of ["bin", "tmp"]) await mkdir(join(folder, name));
    for (const name of ["kind", "kubectl", "docker"]) {
      const script = `#!/bin/sh
for last; do :; done
call="${name} $*"
echo "$call" >>"${folder}/calls"
case "$call" in
${branches.join("\n")}
esac
`;
      await writeFile(join(folder, "bin", name), script);
      await chmod(join(folder, "bin", name), 0o755);
    }
    const program = `${root}knative/tools/cluster-${command}.ts`;
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      encoding: "utf8",
      env: {
        ...process.env,
        IMAGE_BUILD: "",
        ...env,
        PATH: [join(folder, "bin"), process.env.PATH].join(delimiter),
        TMPDIR: join(folder, "tmp"),
      },
    });
    return {
      code: status,
      output: stdout,
      error: stderr.trim(),
      calls: (await text("calls")).split("\n").filter(Boolean).map(short),
      applied: await text("applied"),
      left: await readdir(join(folder, "tmp")),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const quoted = (pattern: string) => pattern.replaceAll(/[^*]+/g, (part) => `'${part}'`);

const short = (call: string) =>
  call
    .replaceAll(/--build-arg \S+ /g, "")
    .replace(/:[0-9a-f]{12}\b/, ":TAG")
    .replace(/\S+\/shop-manifests-\w+/, "COPY")
    .replace(root, "");
