import { describe, knativeServices } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const prefix = "autoscaling.knative.dev/";

/** Every function sleeps at zero, grows to a bound, and says by what. */
export const scale: Rule = {
  name: "scale",
  check: ({ manifests }) =>
    knativeServices(manifests).flatMap((service) => {
      const annotations = service.spec?.template?.metadata?.annotations ?? {};
      const value = (name: string) => annotations[prefix + name];
      const faults = [
        value("min-scale") !== "0" && "min-scale should be 0",
        !(Number(value("max-scale")) > 0) && "max-scale should be above 0, which means no bound",
        !(value("metric") && Number(value("target")) > 0) && "metric and target should be set together",
        !/^\d+s$/.test(value("window") ?? "") && "window should be set, in seconds",
      ];
      return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(service)}: ${fault}`);
    }),
};
