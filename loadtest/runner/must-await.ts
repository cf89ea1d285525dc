import { NotRunnable } from "./subset.ts";

/**
 * What a call answers that blocks in k6. A script that awaits it runs unchanged under both, as k6 awaits a plain value; one that forgets
 * `await` would see `undefined` in it, so looking inside is an error, and so is never asking for it.
 */
export class MustAwait<T> extends Promise<T> {
  awaited = false;

  static override get [Symbol.species]() {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: `await` comes through here, which is what has to be noticed
  override then<R1 = T, R2 = never>(
    onFulfilled?: ((value: T) => R1 | PromiseLike<R1>) | null,
    onRejected?: ((reason: unknown) => R2 | PromiseLike<R2>) | null,
  ): Promise<R1 | R2> {
    this.awaited = true;
    return super.then(onFulfilled, onRejected);
  }
}

const peeked = ["status", "status_text", "body", "headers", "json", "timings", "error", "error_code", "url", "proto"];

for (const name of peeked) {
  Object.defineProperty(MustAwait.prototype, name, {
    get() {
      throw new NotRunnable(
        `Cannot read "${name}" of a request under way: write "await http.get(…)", which k6 takes as well`,
      );
    },
  });
}
