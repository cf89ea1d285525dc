import type * as product from "../../../platform/log.ts";

const silent = () => {};
const logger = { fatal: silent, error: silent, warn: silent, info: silent, debug: silent, child: () => logger };

/** Writes nothing. */
export const createLogger: typeof product.createLogger = () => logger as unknown as product.Logger;
export const flushLog: typeof product.flushLog = async () => {};
