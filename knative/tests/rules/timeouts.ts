import { describe, knativeServices } from "../manifest.ts";
import type { Rule } from "../rule.ts";

/** 30 s of quiet drain, a request of 11 s under way, 1.5 s for the flush. */
const timeoutMinSeconds = 45;

/** timeoutSeconds is the grace period too: what is shorter kills a function while it drains. */
export const timeouts: Rule = {
  name: "timeouts",
  check: ({ manifests }) =>
    knativeServices(manifests).flatMap((service) => {
      const { timeoutSeconds = 0, responseStartTimeoutSeconds = 0 } = service.spec?.template?.spec ?? {};
      const faults = [
        timeoutSeconds < timeoutMinSeconds && `timeoutSeconds should be ${timeoutMinSeconds} or more`,
        responseStartTimeoutSeconds > timeoutSeconds &&
          "responseStartTimeoutSeconds should not be above timeoutSeconds",
      ];
      return faults.filter((fault) => fault !== false).map((fault) => `Cannot accept ${describe(service)}: ${fault}`);
    }),
};
