import type { Trace } from "../../../platform/trace.ts";
import type * as product from "../../../platform/tracing.ts";

const silent = () => {};
const trace: Trace = {
  traceId: "",
  spanId: "",
  exemplar: {},
  headers: {},
  set: silent,
  fail: silent,
  child: (_, work) => work(trace),
  past: silent,
  end: silent,
};

/** Makes no span and reads no header. */
export const createTracing: typeof product.createTracing = () => ({
  receive: () => trace,
  begin: () => trace,
  close: async () => {},
});
