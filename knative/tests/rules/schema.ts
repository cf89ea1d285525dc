import { readdirSync, readFileSync } from "node:fs";
import Ajv, { type ValidateFunction } from "ajv";
import { describe } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const folder = new URL("../../schemas/", import.meta.url);
const validators = new Map<string, ValidateFunction>();

for (const name of readdirSync(folder).filter((file) => file !== "serving-config.json")) {
  const { kinds, definitions } = JSON.parse(readFileSync(new URL(name, folder), "utf8")) as {
    kinds: Record<string, object>;
    definitions: Record<string, object>;
  };
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  for (const [kind, schema] of Object.entries(kinds)) validators.set(kind, ajv.compile({ ...schema, definitions }));
}

/** Every object is one that the server knows, without a field that it does not know. */
export const schema: Rule = {
  name: "schema",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) => {
      const validate = validators.get(`${manifest.apiVersion}/${manifest.kind}`);
      if (!validate)
        return [`Cannot accept ${describe(manifest)}: no schema of "${manifest.apiVersion}/${manifest.kind}"`];
      if (validate(manifest)) return [];
      return (validate.errors ?? []).map(({ instancePath, message, params }) => {
        const field = "additionalProperty" in params ? ` "${params.additionalProperty}"` : "";
        return `Cannot accept ${describe(manifest)}: ${instancePath || "it"} ${message}${field}`;
      });
    }),
};
