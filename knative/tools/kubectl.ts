import { read, run } from "@shop/dev/run";

/** kubectl on one context, whatever the current one becomes meanwhile. */
export const kubectlOn = (context: string) => ({
  run: (args: readonly string[]) => run(["kubectl", `--context=${context}`, ...args]),
  read: (args: readonly string[]) => read(["kubectl", `--context=${context}`, ...args]),
});

/** The names in what `get --output=name` wrote. */
export const namesIn = (output: string): string[] =>
  output
    .split("\n")
    .filter(Boolean)
    .map((line) => line.slice(line.indexOf("/") + 1));

export type Kubectl = ReturnType<typeof kubectlOn>;
