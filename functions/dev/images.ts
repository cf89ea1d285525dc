import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run } from "./run.ts";

export type ImageOptions = {
  tag: string;
  /** What builds, such as `docker build`, with any arguments of the machine's own. */
  command: readonly string[];
};

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A command as somebody writes it, in its words. */
export const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** What builds unless an option says so. */
export const buildCommand = (): string => process.env.IMAGE_BUILD || "docker build";

/** Local on purpose: Knative looks up no digest for this host, so nothing has to be pushed to a registry. */
export const imageName = (name: string, tag: string): string => `dev.local/${name}:${tag}`;

/** Builds the image of one function; its name. */
export function buildImage(name: string, { tag, command }: ImageOptions): string {
  const image = imageName(name, tag);
  const { repository } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { repository: string };
  const values = { FUNCTION: name, VERSION: tag, REVISION: revision(40), SOURCE: repository };
  const buildArgs = Object.entries(values).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
  // Engines older than 23 take BuildKit only when they are told to.
  const env = { ...process.env, DOCKER_BUILDKIT: "1" };
  const args = [...buildArgs, "--tag", image, "--file", "functions/Dockerfile", "."];
  run([...command, ...args], { action: `build "${image}"`, cwd: root, env });
  return image;
}

/** Runs a command with an image's name as its last argument. */
export function pushImage(image: string, command: readonly string[]): void {
  run([...command, image], { action: `push "${image}"`, cwd: root });
}

/** The commit that is checked out, marked where files were changed since; outside of Git there is none. */
export function revision(digits = 7): string {
  const args = ["describe", "--always", "--dirty", "--exclude=*", `--abbrev=${digits}`];
  const { stdout, status } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : "unversioned";
}
