import { coreServices, describe, knativeServices } from "../manifest.ts";
import type { Rule } from "../rule.ts";

const open = new Set(["frontend", "gateway"]);

/** The page and the API are reachable from outside, through Knative's ingress; nothing else is. */
export const visibility: Rule = {
  name: "visibility",
  check: ({ manifests }) => [
    ...knativeServices(manifests).flatMap((service) => {
      const isLocal = service.metadata.labels?.["networking.knative.dev/visibility"] === "cluster-local";
      if (isLocal !== open.has(service.metadata.name)) return [];
      return [`Cannot accept ${describe(service)}: it should ${isLocal ? "" : "not "}be reachable from outside`];
    }),
    ...coreServices(manifests)
      .filter(({ spec }) => (spec?.type ?? "ClusterIP") !== "ClusterIP" || spec?.externalIPs)
      .map((service) => `Cannot accept ${describe(service)}: it should be for the cluster only`),
  ],
};
