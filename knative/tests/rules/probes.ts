import { containerOf, describe, knativeServices } from "../manifest.ts";
import type { Rule } from "../rule.ts";

/** The queue-proxy asks for readiness every 50 ms, which it does only where no period is set; the kubelet for life, seldom. */
export const probes: Rule = {
  name: "probes",
  check: ({ manifests }) =>
    knativeServices(manifests).flatMap((service) => {
      const { readinessProbe: ready, livenessProbe: live, startupProbe } = containerOf(service) ?? {};
      const faults = [
        ready?.httpGet?.path !== "/readyz" && "readiness should ask /readyz",
        (ready?.periodSeconds ?? ready?.timeoutSeconds ?? ready?.failureThreshold) !== undefined &&
          "a period, timeout or threshold makes the readiness probe a slow one",
        live?.httpGet?.path !== "/livez" && "liveness should ask /livez",
        !(Number(live?.periodSeconds) >= 10) && "liveness should ask every ten seconds or less often",
        startupProbe !== undefined && "a startup probe delays every wake",
      ];
      return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(service)}: ${fault}`);
    }),
};
