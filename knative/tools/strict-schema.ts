/** The part of JSON Schema that Kubernetes' definitions use, with its own extensions. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  enum?: unknown[];
  pattern?: string;
  [extension: string]: unknown;
}

const kept = ["$ref", "type", "required", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength"];

/** A definition as the server takes it with strict field validation: an unknown field is refused. Texts for people are left out. */
export function strict(schema: Schema): Schema {
  const result: Schema = Object.fromEntries(kept.filter((key) => key in schema).map((key) => [key, schema[key]]));
  if (schema["x-kubernetes-int-or-string"] || schema.format === "int-or-string") result.type = ["integer", "string"];
  if (schema.items) result.items = strict(schema.items);
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (typeof schema.additionalProperties === "object")
    result.additionalProperties = strict(schema.additionalProperties);
  if (!schema.properties) return result;
  result.properties = Object.fromEntries(
    Object.entries(schema.properties).map(([name, value]) => [name, strict(value)]),
  );
  if (schema.additionalProperties === undefined && !open) result.additionalProperties = false;
  return result;
}
