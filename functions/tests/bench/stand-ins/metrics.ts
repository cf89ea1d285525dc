import type * as product from "../../../platform/metrics.ts";

const silent = () => {};
const instrument = { inc: silent, set: silent, observe: silent };
const get = () => instrument as never;

/** Counts nothing. */
export const createMetrics: typeof product.createMetrics = () => ({
  registry: instrument as unknown as product.Metrics["registry"],
  counter: get,
  gauge: get,
  histogram: get,
  summary: get,
  expose: async () => "",
});
