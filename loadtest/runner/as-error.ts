/** What a script has thrown, which may be anything, as an error. */
export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(`${thrown}`));
