import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { build } from "./build.ts";
import { type Container, containerOf, knativeServices } from "./manifest.ts";
import { configsOf } from "./rules/serving-config.ts";

const schemas = JSON.parse(readFileSync(new URL("../schemas/serving-config.json", import.meta.url), "utf8")) as {
  source: string;
};
const environments = ["local", "production"].map((name) => ({
  name,
  manifests: build(`environments/${name}`),
  services: knativeServices(build(`environments/${name}`)),
  config: Object.fromEntries(build(`serving/${name}`).flatMap(configsOf)),
}));

/** Without what each environment says for itself: its domain, how many traces are taken, and in production TLS. */
const shared = ({ "config-certmanager": _, ...config }: Record<string, Record<string, string>>) => ({
  ...config,
  "config-network": { ...config["config-network"], "external-domain-tls": "", "http-protocol": "" },
  "config-domain": Object.values(config["config-domain"] ?? {}),
  "config-observability": { ...config["config-observability"], "tracing-sampling-rate": "" },
});

/** How many traces a container takes: all where nothing is said. */
function ratioOf(container?: Container): string | undefined {
  const value = (name: string) => container?.env?.find((variable) => variable.name === name)?.value;
  if (value("OTEL_TRACES_SAMPLER") === undefined) return "1";
  assert.equal(value("OTEL_TRACES_SAMPLER"), "parentbased_traceidratio");
  return value("OTEL_TRACES_SAMPLER_ARG");
}

describe("Serving's configuration", () => {
  it("is the same in both environments, but for the domain, TLS and how many traces are taken", () => {
    const [local, production] = environments.map(({ config }) => shared(config));
    assert.deepEqual(production, local);
  });

  it("is of the version that the operator installs, with the ingress that it routes by", () => {
    const serving = build("serving/production").find(({ kind }) => kind === "KnativeServing")?.spec as
      | { version?: string; ingress?: object }
      | undefined;
    assert.match(schemas.source, new RegExp(`/knative-v${serving?.version}/`));
    assert.deepEqual(serving?.ingress, { kourier: { enabled: true } });
    for (const { config } of environments)
      assert.equal(config["config-network"]?.["ingress-class"], "kourier.ingress.networking.knative.dev");
  });

  for (const { name, manifests, services, config } of environments) {
    it(`lets every function of ${name} have its max-scale`, () => {
      const limit = Number(config["config-autoscaler"]?.["max-scale-limit"]);
      for (const { metadata, spec } of services) {
        const max = Number(spec?.template?.metadata?.annotations?.["autoscaling.knative.dev/max-scale"]);
        assert.ok(max <= limit, `${metadata.name}: ${max}, but ${limit} is the limit`);
      }
    });

    it(`takes as many traces in the queue-proxies of ${name} as in its functions, and in what calls them by the clock`, () => {
      const ratio = config["config-observability"]?.["tracing-sampling-rate"];
      const clocked = manifests.flatMap(({ spec }) => spec?.jobTemplate?.spec.template?.spec.containers ?? []);
      assert.ok(clocked.length > 0);
      assert.deepEqual(new Set([...services.map(containerOf), ...clocked].map(ratioOf)), new Set([ratio]));
    });
  }
});
