import { read, run } from "@shop/dev/run";

/** kubectl on one context, whatever the current one becomes meanwhile. */
export const kubectlOn = (context: string) => ({
  run: (args: readonly string[]) => run(["kubectl", `--context=${context}`, ...args]),
  read: (args: readonly string[]) => read(["kubectl", `--context=${context}`, ...args]),
});

export type Kubectl = ReturnType<typeof kubectlOn>;
