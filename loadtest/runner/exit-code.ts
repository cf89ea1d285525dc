/** k6's exit codes (docs of its package errext/exitcodes). */
export const exitCode = { ok: 0, thresholdsCrossed: 99, invalidConfig: 104, interrupted: 105, scriptException: 107 };
