import { read, run } from "./run.ts";

/** kubectl on one context, whatever the current one becomes meanwhile. */
export const kubectlOn = (context: string) => ({
  run: (args: readonly string[], input = "") => void run("kubectl", [`--context=${context}`, ...args], { input }),
  read: (args: readonly string[]) => read("kubectl", [`--context=${context}`, ...args]),
});

export type Kubectl = ReturnType<typeof kubectlOn>;
