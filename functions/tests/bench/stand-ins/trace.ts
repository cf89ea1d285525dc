/** No span fails, so none needs to know of what. */
export const errorTypeOf: typeof import("../../../platform/trace.ts").errorTypeOf = () => "";
