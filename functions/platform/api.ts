import type { Context, MiddlewareHandler, ValidationTargets } from "hono";
import { describeRoute, type ResponsesWithResolver, resolver, uniqueSymbol, validator } from "hono-openapi";
import type * as v from "valibot";
import { Problem, ProblemBody, type ProblemCode, problemMediaType, problems } from "./problem.ts";
import { describeIssue } from "./schema.ts";

/** What a route that reads or writes this function's own database can answer with. */
export const databaseProblems: readonly ProblemCode[] = ["unavailable", "deadline_exceeded"];

/** What a route with a {@link jsonInput} can answer with. */
export const jsonProblems: readonly ProblemCode[] = ["invalid", "payload_too_large", "unsupported_media_type"];

type Operation = {
  summary: string;
  /** The schema of the body by success status; `undefined` when it is not JSON. */
  answers: Record<number, v.GenericSchema | undefined>;
  problems?: readonly ProblemCode[];
};

/** Describes a route for `/openapi.json` (OpenAPI 3.1): what it answers, and with which problems. */
export function operation({ summary, answers, problems: codes = [] }: Operation): MiddlewareHandler {
  const responses: ResponsesWithResolver = {};
  for (const [status, schema] of Object.entries(answers)) {
    responses[status] = {
      description: summary,
      ...(schema && { content: { "application/json": { schema: resolver(schema) } } }),
    };
  }
  for (const [status, group] of Map.groupBy(codes, (code) => problems[code].status)) {
    responses[status] = {
      description: group.map((code) => `${problems[code].title} (\`${code}\`)`).join(" or "),
      content: { [problemMediaType]: { schema: resolver(ProblemBody) } },
    };
  }
  return describeRoute({ summary, responses });
}

/** Validates one part of the request; a misfit is problem `invalid`, which names the field and not its value. */
export function input<T extends keyof ValidationTargets, S extends v.GenericSchema>(target: T, schema: S) {
  const check = validator(target, schema, (result) => {
    if (!result.success) throw new Problem("invalid", describeIssue(result.error[0] as v.BaseIssue<unknown>));
  });
  return check;
}

/** Validates a JSON body: also its media type (415) and its encoding, which must be UTF-8 (RFC 8259 §8.1). */
export function jsonInput<S extends v.GenericSchema>(schema: S) {
  const check = input("json", schema);
  const checkAll: typeof check = async (c, next) => {
    await requireJson(c);
    return check(c, next);
  };
  return Object.assign(checkAll, { [uniqueSymbol]: Reflect.get(check, uniqueSymbol) });
}

async function requireJson(c: Context): Promise<void> {
  const mediaType = c.req.header("Content-Type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw new Problem("unsupported_media_type", "Content-Type should be application/json");
  }
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(await c.req.arrayBuffer());
  } catch (cause) {
    throw new Problem("invalid", "body is not valid UTF-8", { cause });
  }
}
