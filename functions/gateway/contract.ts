import * as v from "valibot";

/** The cookie that makes a caller a visitor: a random UUID, the visitor's only secret. */
export const visitorCookie = "visitor";
export const VisitorSecret = v.pipe(v.string(), v.uuid());
