import { BootError, Instance, type InstanceOptions, type Target } from "./instance.ts";
import type { ProcessExit } from "./process.ts";

export type SlotEvent =
  | { type: "line"; line: string }
  | { type: "awake"; bootMs: number }
  | { type: "failed"; detail: string }
  | { type: "died"; exit: ProcessExit }
  | { type: "changed" }
  | { type: "asleep"; awakeMs: number; requests: number; exit: ProcessExit; killed: boolean };

export interface SlotOptions extends Omit<InstanceOptions, "revision" | "env" | "onLine"> {
  name: string;
  /** Read at each wake. */
  env: () => InstanceOptions["env"];
  /** From the end of the last reply to sleep; `Infinity` never sleeps. */
  windowMs: number;
  onEvent: (event: SlotEvent) => void;
}

/** A process that runs, as whoever reads its metrics has to know it. */
export interface LiveProcess {
  name: string;
  revision: string;
  port: number;
}

/** The right to send one request to a process. */
export interface Lease {
  target: Target;
  /** To be called once, when the reply has ended. */
  release: () => void;
}

/**
 * Where one function's requests go: to nobody (asleep), or to one process that is waking or awake.
 * A process leaves the slot before it drains, so no request can come to one that is about to go.
 */
export class Slot {
  readonly name: string;
  readonly #options: SlotOptions;
  readonly #processes = new Map<Instance, Promise<void>>();
  #instance: Instance | undefined;
  #window: ReturnType<typeof setTimeout> | undefined;
  #revision = 1;
  #stopped = false;

  constructor(options: SlotOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** The process that is awake, if one is; to ask neither wakes nor prolongs. */
  get awake(): Target | undefined {
    return this.#instance?.state === "awake" ? this.#instance : undefined;
  }

  /** The processes that can be read: awake, or draining after they were; to ask neither wakes nor prolongs. */
  get live(): LiveProcess[] {
    return [...this.#processes.keys()]
      .filter(({ readyAtMs }) => readyAtMs !== undefined)
      .map(({ revision, port }) => ({ name: this.name, revision, port }));
  }

  /** Wakes the function when it sleeps. All who wait for one boot share its {@link BootError}. */
  async lease(): Promise<Lease> {
    for (;;) {
      if (this.#stopped) throw new BootError("shutting down");
      this.#instance ??= this.#wake();
      const instance = this.#instance;
      await instance.ready;
      if (instance === this.#instance) return this.#lend(instance);
    }
  }

  /** The source has changed: the next request gets a fresh process. */
  renew(): void {
    this.#revision++;
    if (this.#instance) this.#options.onEvent({ type: "changed" });
    this.#sleep();
  }

  /** Puts the function to sleep for good; resolves when no process of it is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#sleep();
    await Promise.all(this.#processes.values());
  }

  #wake(): Instance {
    const { name, env, onEvent } = this.#options;
    const revision = `${name}-${`${this.#revision}`.padStart(5, "0")}`;
    const instance = new Instance({
      ...this.#options,
      revision,
      env: { ...env(), K_SERVICE: name, K_CONFIGURATION: name, K_REVISION: revision },
      onLine: (line) => onEvent({ type: "line", line }),
    });
    instance.ready.then(
      () => this.#awake(instance),
      (error) => this.#failed(error),
    );
    const gone = instance.exited.then((exit) => {
      this.#processes.delete(instance);
      this.#gone(instance, exit);
    });
    this.#processes.set(instance, gone);
    return instance;
  }

  #awake(instance: Instance): void {
    if (instance !== this.#instance || instance.readyAtMs === undefined) return;
    this.#options.onEvent({ type: "awake", bootMs: instance.readyAtMs - instance.startedAtMs });
    this.#startWindow();
  }

  #failed(error: BootError): void {
    this.#instance = undefined;
    this.#options.onEvent({ type: "failed", detail: error.message });
  }

  #gone(instance: Instance, exit: ProcessExit): void {
    const { readyAtMs, requests, killed } = instance;
    if (readyAtMs === undefined) return;
    if (instance === this.#instance) {
      clearTimeout(this.#window);
      this.#instance = undefined;
      this.#options.onEvent({ type: "died", exit });
    } else {
      this.#options.onEvent({ type: "asleep", awakeMs: performance.now() - readyAtMs, requests, exit, killed });
    }
  }

  #lend(instance: Instance): Lease {
    clearTimeout(this.#window);
    instance.begin();
    const release = () => {
      instance.end();
      if (instance === this.#instance && instance.inFlight === 0) this.#startWindow();
    };
    return { target: instance, release };
  }

  #startWindow(): void {
    const { windowMs } = this.#options;
    clearTimeout(this.#window);
    if (windowMs !== Number.POSITIVE_INFINITY) this.#window = setTimeout(() => this.#sleep(), windowMs);
  }

  #sleep(): void {
    clearTimeout(this.#window);
    this.#instance?.drain();
    this.#instance = undefined;
  }
}
