export type Interruption = {
  readonly fired: boolean;
  /** Calls `hook` when it fires, at once if it has; the result takes the hook back. */
  on(hook: () => void): () => void;
  fire(): void;
};

/** Ends at once what is under way in a scenario. What was interrupted never settles: nobody waits for it any more, as in k6. */
export function createInterruption(): Interruption {
  const hooks = new Set<() => void>();
  let fired = false;
  return {
    get fired() {
      return fired;
    },
    on(hook) {
      if (fired) hook();
      else hooks.add(hook);
      return () => void hooks.delete(hook);
    },
    fire() {
      fired = true;
      for (const hook of hooks) hook();
      hooks.clear();
    },
  };
}

/** Waits so long, or until the interruption. */
export function delay(ms: number, interruption: Interruption): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const forget = interruption.on(() => setImmediate(done)); // not at once, for it may have fired already
  });
}
