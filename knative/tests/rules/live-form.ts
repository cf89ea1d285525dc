import { containerOf, describe, knativeServices, type Manifest } from "../manifest.ts";
import { isCanonical } from "../quantity.ts";
import type { Rule } from "../rule.ts";

/**
 * A Knative Service is written as the webhook leaves it: nothing that it drops, everything that it fills in, quantities as it
 * writes them. So what is applied equals what lives, and a difference is a change.
 */
export const liveForm: Rule = {
  name: "live-form",
  check: ({ manifests }) =>
    knativeServices(manifests).flatMap((service) =>
      [...zeroes(service.spec, "spec"), ...unset(service), ...quantities(service)].map(
        (fault) => `Cannot accept ${describe(service)}: ${fault}`,
      ),
    ),
};

function zeroes(value: unknown, path: string): string[] {
  if (value === 0 || value === "" || value === null) return [`${path} is ${JSON.stringify(value)}, which is dropped`];
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${path} is empty, which is dropped`];
  return entries.flatMap(([key, inner]) => zeroes(inner, `${path}.${key}`));
}

function unset(service: Manifest): string[] {
  const container = containerOf(service);
  const filled = {
    "the container's name": container?.name,
    "the port's name": container?.ports?.[0]?.name,
    "the port's protocol": container?.ports?.[0]?.protocol,
    "readinessProbe.successThreshold": container?.readinessProbe?.successThreshold,
    containerConcurrency: service.spec?.template?.spec.containerConcurrency,
    traffic: service.spec?.traffic,
  };
  return Object.entries(filled)
    .filter(([, value]) => value === undefined)
    .map(([name]) => `${name} is not set`);
}

function quantities(service: Manifest): string[] {
  const { requests, limits } = containerOf(service)?.resources ?? {};
  return [requests, limits]
    .flatMap((side) => Object.entries(side ?? {}))
    .filter(([, text]) => !isCanonical(text))
    .map(([resource, text]) => `${resource} "${text}" is written in another way`);
}
