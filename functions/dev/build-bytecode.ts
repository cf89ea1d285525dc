import { bundleBytecode } from "./bundle.ts";
import { shop } from "./shop.ts";

/** What `functions/Dockerfile` runs: one function into one folder. */
const [name = "", outdir = ""] = process.argv.slice(2);
const names = shop.map((one) => one.name);
if (names.includes(name) && outdir !== "") await bundleBytecode(name, outdir);
else {
  console.error(`Cannot build "${name}" into "${outdir}": should be one of ${names.join(", ")}, and a folder`);
  process.exit(1);
}
