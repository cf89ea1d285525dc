import { describe, knativeServices, type Manifest } from "../manifest.ts";
import { seconds } from "../quantity.ts";
import { type Rule, refusals } from "../rule.ts";

const prefix = "autoscaling.knative.dev/";

/** WindowMin and WindowMax of Serving's; the latter bounds its delays, too. */
const windowMinSeconds = 6;
const windowMaxSeconds = 3_600;

/** Serving's own default, and what one process does at 5 ms a request, one at a time: above it no second pod comes in time. */
const requestsPerSecondMax = 200;

/**
 * Every function sleeps at zero, grows to a bound, and says by what, within what Serving takes.
 * @see https://github.com/knative/serving/blob/knative-v1.23.0/pkg/apis/autoscaling/annotation_validation.go
 */
export const scale: Rule = {
  name: "scale",
  check: ({ manifests }) => knativeServices(manifests).flatMap(faultsOf),
};

function faultsOf(service: Manifest): string[] {
  const { metadata, spec } = service.spec?.template ?? {};
  const value = (name: string) => metadata?.annotations?.[prefix + name];
  const target = Number(value("target"));
  const targetMax = { rps: requestsPerSecondMax, concurrency: spec?.containerConcurrency }[value("metric") ?? ""];
  const isWithin = (duration: string | undefined, min: number) =>
    seconds(duration) >= min && seconds(duration) <= windowMaxSeconds;
  const faults = [
    (value("class") ?? "kpa.autoscaling.knative.dev") !== "kpa.autoscaling.knative.dev" &&
      "only Knative's own autoscaler sleeps at zero (class)",
    value("min-scale") !== "0" && "min-scale should be 0",
    !(Number(value("max-scale")) > 0) && "max-scale should be above 0, which means no bound",
    !(target >= 1 && target <= (targetMax ?? 0)) &&
      `metric should be rps with a target from 1 to ${requestsPerSecondMax}, or concurrency with one up to containerConcurrency`,
    !isWithin(value("window"), windowMinSeconds) &&
      `window should be set, in seconds, from ${windowMinSeconds}s to ${windowMaxSeconds}s`,
    ...["scale-down-delay", "scale-to-zero-pod-retention-period"].map(
      (name) => !isWithin(value(name) ?? "0s", 0) && `${name} should be in seconds, at most ${windowMaxSeconds}s`,
    ),
  ];
  return refusals(describe(service), faults);
}
