import { describe, knativeServices, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";
import { configsOf } from "./serving-config.ts";

/** In production Kourier speaks TLS with whoever comes from outside, sends plain HTTP there, and no function is left out: a visitor's cookie is his only secret. */
export const tls: Rule = {
  name: "tls",
  check: ({ manifests }) => [
    ...manifests.filter(({ kind }) => kind === "KnativeServing").flatMap(servingFaults),
    ...knativeServices(manifests).flatMap(serviceFaults),
  ],
};

function servingFaults(serving: Manifest): string[] {
  const configs = Object.fromEntries(configsOf(serving));
  const network = configs["config-network"] ?? {};
  const faults = [
    network["external-domain-tls"] !== "Enabled" && "there is no TLS",
    network["http-protocol"] !== "Redirected" && "plain HTTP is answered",
    !configs["config-certmanager"]?.issuerRef && "nobody whom a browser trusts signs its certificates",
  ];
  return refusals(describe(serving), faults);
}

const exceptions = ["disable-external-domain-tls", "http-protocol"].map((name) => `networking.knative.dev/${name}`);

const serviceFaults = (service: Manifest) =>
  exceptions
    .filter((name) => name in { ...service.metadata.annotations, ...service.metadata.labels })
    .map((name) => `Cannot accept ${describe(service)}: "${name}" would make it an exception`);
