import * as v from "valibot";

export const User = v.object({ id: v.pipe(v.number(), v.integer(), v.minValue(1)), name: v.string() });
export type User = v.InferOutput<typeof User>;
export const Users = v.array(User);

/** A user's id as it stands in a path. */
export const UserId = v.pipe(v.string(), v.regex(/^[1-9]\d{0,8}$/, "should be an integer above 0"));
