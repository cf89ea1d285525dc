import { AsyncLocalStorage } from "node:async_hooks";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Interruption } from "./interruption.ts";
import type { Tags } from "./metrics.ts";
import { MustAwait } from "./must-await.ts";
import { NotRunnable } from "./subset.ts";

/** A virtual user: runs one iteration at a time, over connections of its own. */
export type Vu = {
  readonly id: number;
  /** How many iterations it has begun. */
  iterations: number;
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
};

export function createVu(id: number, keepAlive: boolean): Vu {
  return { id, iterations: 0, http: new HttpAgent({ keepAlive }), https: new HttpsAgent({ keepAlive }) };
}

/** What a script has asked for: `blocking` when k6 itself would have waited for it. */
export type Call = { name: string; blocking: boolean; promise: MustAwait<unknown> };

export type Iteration = {
  readonly vu: Vu;
  readonly number: number;
  readonly tags: Tags;
  readonly interruption: Interruption;
  readonly calls: Call[];
};

/** Which iteration runs the code that asks: k6 has a JavaScript world for each VU, the runner one for all. */
export type Current = ReturnType<typeof createCurrent>;

export function createCurrent() {
  const storage = new AsyncLocalStorage<Iteration>();
  return {
    enter: <T>(iteration: Iteration, work: () => T): T => storage.run(iteration, work),
    get: (): Iteration | undefined => storage.getStore(),
    /** The iteration in which `name` is called. */
    require(name: string): Iteration {
      const iteration = storage.getStore();
      if (!iteration) throw new Error(`Cannot call "${name}": only an iteration, setup and teardown can`);
      return iteration;
    },
  };
}

/** Hands `work` to the script, and notes it as asked for by this iteration. */
export function handOut<T>(iteration: Iteration, name: string, blocking: boolean, work: Promise<T>): MustAwait<T> {
  const promise = new MustAwait<T>((resolve, reject) => void work.then(resolve, reject));
  iteration.calls.push({ name, blocking, promise });
  return promise;
}

/** Waits, once the script's function has returned, for what it did not await; throws where k6 would have waited in the middle. */
export async function settleCalls({ calls }: Iteration): Promise<void> {
  const forgotten = calls.find(({ blocking, promise }) => blocking && !promise.awaited);
  if (forgotten) {
    const { name } = forgotten;
    throw new NotRunnable(
      `Cannot go on after "${name}": k6 waits for it, the runner only at "await ${name}(…)", which k6 takes as well`,
    );
  }
  for (const { promise } of calls) await promise; // what the script has chained on it runs before
}
