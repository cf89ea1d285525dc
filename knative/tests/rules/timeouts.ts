import { requestTimeoutMaxMs } from "@shop/platform/config";
import { describe, knativeServices, type Manifest } from "../manifest.ts";
import { seconds } from "../quantity.ts";
import { type Build, isProduction, type Rule, refusals } from "../rule.ts";

/** 30 s of quiet drain, a request of 11 s under way, 1.5 s for the flush. */
const timeoutMinSeconds = 45;
/** Serving's own: max-revision-timeout-seconds, and its progress deadline where none is set. */
const servingMaxSeconds = 600;
/** A node that does not have the image yet pulls it first; in production the node itself may have to come first, in minutes. */
const progressMinSeconds = (build: Build) => (isProduction(build) ? 300 : 60);
const requestMaxSeconds = requestTimeoutMaxMs / 1_000;

/** timeoutSeconds is the grace period too: what is shorter kills a function while it drains. No other limit cuts the longest request off. */
export const timeouts: Rule = {
  name: "timeouts",
  check: (build) => knativeServices(build.manifests).flatMap((service) => faultsOf(service, progressMinSeconds(build))),
};

function faultsOf(service: Manifest, progressMin: number): string[] {
  const { metadata, spec } = service.spec?.template ?? {};
  const { timeoutSeconds = 0, responseStartTimeoutSeconds = 0, idleTimeoutSeconds = 0 } = spec ?? {};
  const progress = metadata?.annotations?.["serving.knative.dev/progress-deadline"] ?? `${servingMaxSeconds}s`;
  const isWithin = (value: number, min: number) => value >= min && value <= servingMaxSeconds;
  const cutsOff = (value: number) => value > 0 && value <= requestMaxSeconds;
  const faults = [
    !isWithin(timeoutSeconds, timeoutMinSeconds) &&
      `timeoutSeconds should be from ${timeoutMinSeconds} to ${servingMaxSeconds}`,
    responseStartTimeoutSeconds > timeoutSeconds && "responseStartTimeoutSeconds should not be above timeoutSeconds",
    cutsOff(responseStartTimeoutSeconds) && `responseStartTimeoutSeconds should be above ${requestMaxSeconds}`,
    cutsOff(idleTimeoutSeconds) && `idleTimeoutSeconds should be above ${requestMaxSeconds}`,
    !isWithin(seconds(progress), progressMin) &&
      `progress-deadline should be from ${progressMin}s to ${servingMaxSeconds}s`,
  ];
  return refusals(describe(service), faults);
}
