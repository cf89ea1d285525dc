/** Looks at no request. (Not an empty list: Hono takes that for a handler which does not go on.) */
export const observe: typeof import("../../../platform/observe.ts").observe = () => [(_, next) => next()];
