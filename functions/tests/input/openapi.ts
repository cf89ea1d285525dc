import type { Schema } from "./schema.ts";

export type Parameter = { in: "path" | "query" | "header"; name: string; schema: Schema; required?: boolean };
type Content = Record<string, { schema: Schema }>;

export type Operation = {
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content }>;
};

/** The operations of one path, by method in small letters. */
export type PathItem = Record<string, Operation>;

/** As much of an OpenAPI document as requests are made from and answers are held against. */
export type Description = { paths: Record<string, PathItem> };

export const jsonOf = (content: Content | undefined): Schema | undefined => content?.["application/json"]?.schema;
