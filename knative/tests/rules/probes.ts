import { containerOf, describe, knativeServices, type Manifest } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

/** The port that Prometheus may reach; most others are the queue-proxy's. */
const port = 8080;
const isThere = (value: unknown) => value !== undefined;

/**
 * A function listens on one port and is asked there: for readiness by the queue-proxy every 50 ms, which it does only where no
 * period is set; for life by the kubelet, seldom and patiently. Nothing else has to be ready before it.
 */
export const probes: Rule = {
  name: "probes",
  check: ({ manifests }) => knativeServices(manifests).flatMap(faultsOf),
};

function faultsOf(service: Manifest): string[] {
  const { ports = [], readinessProbe: ready, livenessProbe: live, startupProbe } = containerOf(service) ?? {};
  const { periodSeconds: period = 0, failureThreshold: failures = 3 } = live ?? {};
  const faults = [
    service.spec?.template?.spec.containers.length !== 1 && "another container delays every wake",
    ports.map(({ containerPort }) => containerPort).join() !== `${port}` &&
      `it should listen on ${port} and nowhere else`,
    [ready, live].some((probe) => probe?.httpGet?.port !== port) && `its probes should ask on port ${port}`,
    ready?.httpGet?.path !== "/readyz" && "readiness should ask /readyz",
    [ready?.periodSeconds, ready?.timeoutSeconds, ready?.failureThreshold, ready?.initialDelaySeconds].some(isThere) &&
      "a period, timeout, threshold or delay makes the readiness probe a slow one",
    (ready?.successThreshold ?? 1) > 1 && "one yes is enough for readiness",
    live?.httpGet?.path !== "/livez" && "liveness should ask /livez",
    period < 10 && "liveness should ask every ten seconds or less often",
    failures < 3 && "liveness should take three failures",
    period * failures > 300 && "a function that hangs should be ended within five minutes",
    isThere(startupProbe) && "a startup probe delays every wake",
  ];
  return refusals(describe(service), faults);
}
