import { describeExit } from "./instance.ts";
import { type RunningProcess, startProcess } from "./process.ts";

export interface MaintenanceOptions {
  command: readonly [program: string, ...args: string[]];
  env: () => Readonly<Record<string, string | undefined>>;
  /** From the end of one run to the start of the next, so that two never overlap. */
  everyMs: number;
  onLine: (line: string) => void;
  onFailure: (detail: string) => void;
}

/** Runs a program again and again, as a CronJob would. */
export function startMaintenance({ command, env, everyMs, onLine, onFailure }: MaintenanceOptions) {
  let running: RunningProcess | undefined;
  let stopped = false;
  let timer = setTimeout(run, everyMs);

  async function run(): Promise<void> {
    try {
      running = startProcess({ command, env: env(), orphanSignal: "SIGKILL", onLine });
      const exit = await running.closed;
      if (exit.code !== 0 && !stopped) onFailure(describeExit(exit));
    } catch (error) {
      onFailure((error as Error).message);
    }
    running = undefined;
    if (stopped) return;
    timer = setTimeout(run, everyMs);
  }

  return {
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      running?.signal("SIGTERM");
      await running?.closed;
    },
  };
}
