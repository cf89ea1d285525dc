/** Of everything random in a run; `TEST_SEED` repeats one. */
export const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);
