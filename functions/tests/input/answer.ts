import { ProblemBody, problemMediaType } from "@shop/platform/problem";
import * as v from "valibot";
import { type Description, jsonOf, type Operation, type PathItem } from "./openapi.ts";
import type { Attempt, Reply } from "./request.ts";
import { misfit } from "./schema.ts";

/** What is wrong, in words; undefined when nothing is. */
type Fault = string | undefined;

const bodyMaxBytes = 64 * 1024;

/**
 * Holds an answer against the description: it is no 5xx; a request that does not fit is refused, and one that fits is not called
 * invalid; its status is described, and its body is as described.
 */
export function answerFault({ paths }: Description, attempt: Attempt, reply: Reply): Fault {
  const { status } = reply;
  if (status >= 500) return "no input gives a 5xx";
  if (status === 413) return isTooLarge(attempt) ? problemFault(attempt, reply) : "the body is not too large";

  const { pathname, searchParams } = new URL(attempt.path, "http://shop.test");
  const template = Object.keys(paths).find((one) => pattern(one).test(pathname));
  const item = template !== undefined && paths[template];
  if (!item) return status === 404 ? problemFault(attempt, reply) : "there is no such path";
  const operation = item[attempt.method === "HEAD" ? "get" : attempt.method.toLowerCase()];
  if (!operation) return status === 405 ? (allowFault(item, reply) ?? problemFault(attempt, reply)) : "no such method";

  const segments = pattern(template).exec(pathname)?.groups ?? {};
  const wrong = parameterFault(operation, attempt, segments, searchParams) ?? bodyFault(operation, attempt);
  if (wrong !== undefined && status < 400) return `accepted, although ${wrong}`;
  if (wrong === undefined && [400, 405, 415].includes(status)) return "refused, although it fits";
  const response = operation.responses[status];
  if (!response) return "this status is not described";
  if (status >= 400) return problemFault(attempt, reply);
  const schema = jsonOf(response.content);
  return schema && attempt.method !== "HEAD" ? misfit(schema, JSON.parse(reply.text), "the answer") : undefined;
}

const pattern = (template: string) => new RegExp(`^${template.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);

const isTooLarge = ({ body }: Attempt) => body !== undefined && body.bytes.length > bodyMaxBytes;

function parameterFault(
  { parameters = [] }: Operation,
  { headers }: Attempt,
  segments: Record<string, string>,
  query: URLSearchParams,
): Fault {
  for (const { in: place, name, schema, required } of parameters) {
    const header = headers[name];
    const given = {
      path: [decode(segments[name] ?? "")],
      query: query.getAll(name),
      header: header === undefined ? [] : [header],
    }[place];
    if (given.length === 0 && required) return `${name} is missing`;
    if (given.length > 1) return `${name} is there twice`;
    const fault = given.length === 1 ? misfit(schema, given[0], name) : undefined;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function bodyFault({ requestBody }: Operation, attempt: Attempt): Fault {
  const schema = jsonOf(requestBody?.content);
  if (!schema) return undefined;
  const mediaType = attempt.headers["Content-Type"]?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") return "the media type is another";
  if (!attempt.body || isTooLarge(attempt)) return "the body is missing or too large";
  const value = parse(attempt.body.bytes);
  return value === undefined ? "the body is not JSON in UTF-8" : misfit(schema, value, "body");
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function allowFault(item: PathItem, { headers }: Reply): Fault {
  const allowed = (headers.get("Allow") ?? "").split(", ");
  const missing = Object.keys(item).filter((method) => !allowed.includes(method.toUpperCase()));
  return missing.length > 0 ? `Allow does not name ${missing}` : undefined;
}

function problemFault({ method }: Attempt, { status, headers, text }: Reply): Fault {
  if (headers.get("Content-Type") !== problemMediaType) return "it is no problem+json";
  if (method === "HEAD") return undefined;
  const body: unknown = JSON.parse(text);
  return v.is(ProblemBody, body) && body.status === status ? undefined : "it is no problem as the contract has it";
}
