import { readFileSync } from "node:fs";
import { describe } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const { keys } = JSON.parse(readFileSync(new URL("../../schemas/serving-config.json", import.meta.url), "utf8")) as {
  keys: Record<string, string[]>;
};

/** Serving ignores a key that it does not know: every one that we set is one of its own. A domain's keys are domains. */
export const servingConfig: Rule = {
  name: "serving-config",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) => {
      const { kind, metadata, data, spec } = manifest;
      const configs =
        kind === "KnativeServing"
          ? Object.entries(spec?.config ?? {}).map(([name, config]) => [`config-${name}`, config] as const)
          : kind === "ConfigMap" && metadata.namespace === "knative-serving"
            ? [[metadata.name, data ?? {}] as const]
            : [];
      return configs
        .filter(([name]) => name !== "config-domain")
        .flatMap(([name, config]) => Object.keys(config).map((key) => [name, key] as const))
        .filter(([name, key]) => !keys[name]?.includes(key))
        .map(([name, key]) => `Cannot accept ${describe(manifest)}: ${name} has no "${key}"`);
    }),
};
