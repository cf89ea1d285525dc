import { parseArgs } from "node:util";
import { buildCommand, buildImage, pushImage, revision, words } from "./images.ts";
import { shop } from "./shop.ts";

const usage = `Builds one image a function, dev.local/<function>:<tag>: all of them, or those that are named.

  bun run build [options] [function …]

  --tag <tag>         the short revision of Git by default
  --build <command>   what builds ("docker build"), such as "docker build --network host"
  --push <command>    run once an image with its name as the last argument, such as "kind load docker-image --name sre-lab"
  --help              this text

  IMAGE_BUILD         the same as --build
`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tag: { type: "string" },
      build: { type: "string", default: buildCommand() },
      push: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) process.stdout.write(usage);
  else {
    const tag = values.tag ?? revision();
    for (const name of chosen(positionals)) {
      const image = buildImage(name, { tag, command: words(values.build) });
      if (values.push) pushImage(image, words(values.push));
      console.log(image);
    }
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

function chosen(names: string[]): string[] {
  const all = shop.map(({ name }) => name);
  for (const name of names) {
    if (!all.includes(name)) throw new Error(`Cannot build "${name}": should be one of ${all.join(", ")}`);
  }
  return names.length > 0 ? names : all;
}
