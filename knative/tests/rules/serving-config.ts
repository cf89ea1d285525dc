import { readFileSync } from "node:fs";
import { describe, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

const { keys } = JSON.parse(readFileSync(new URL("../../schemas/serving-config.json", import.meta.url), "utf8")) as {
  keys: Record<string, string[]>;
};

/** What we set of Serving's configuration is where Serving looks, under a key that it knows (it ignores all others), and lets functions sleep. */
export const servingConfig: Rule = {
  name: "serving-config",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) =>
      configsOf(manifest).flatMap(([name, config]) => {
        // A domain's keys are domains; all others are in Serving's own examples.
        const unknown = Object.keys(config).filter((key) => name !== "config-domain" && !keys[name]?.includes(key));
        const faults = [
          manifest.metadata.namespace !== "knative-serving" && 'it should be in "knative-serving"',
          (config["enable-scale-to-zero"] ?? "true") !== "true" && "nothing would sleep any more",
          ...unknown.map((key) => `${name} has no "${key}"`),
        ];
        return refusals(describe(manifest), faults);
      }),
    ),
};

/** Serving's ConfigMaps, by name, as the operator writes them or as they stand here. */
export function configsOf(manifest: Manifest): (readonly [string, Record<string, string>])[] {
  const { kind, metadata, data = {}, spec } = manifest;
  if (kind === "KnativeServing")
    return Object.entries(spec?.config ?? {}).map(([name, config]) => [`config-${name}`, config]);
  const isServing = metadata.namespace === "knative-serving" || metadata.name in keys;
  return kind === "ConfigMap" && isServing ? [[metadata.name, data]] : [];
}
