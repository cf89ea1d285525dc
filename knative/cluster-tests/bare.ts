import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageName } from "@shop/dev/images";
import { eventually } from "@shop/platform/testing";
import { stringify } from "yaml";
import { kubectl } from "./api.ts";
import { namespace } from "./environment.ts";
import type { Stage } from "./stage.ts";
import { isReady, serviceOf } from "./state.ts";

/** The floor: a Knative Service whose function is `Bun.serve` and nothing else, in an image of the shop; or that with a token of the API server. */
export async function bareService(
  { api, tags }: Stage,
  { token = false } = {},
): Promise<AsyncDisposable & { name: string }> {
  const name = token ? "bare-with-token" : "bare";
  const folder = await mkdtemp(join(tmpdir(), "shop-bare-"));
  const file = join(folder, "service.yaml");
  await writeFile(file, stringify(manifest(name, imageName("gateway", tags[0]), token)));
  await kubectl("apply", "-f", file);
  await eventually("the bare function is Ready", async () => isReady(await serviceOf(api, name)), 120_000, 200);
  return {
    name,
    async [Symbol.asyncDispose]() {
      await kubectl("delete", "-f", file, "--wait=false");
      await rm(folder, { recursive: true });
    },
  };
}

const manifest = (name: string, image: string, token: boolean) => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: {
    template: {
      metadata: {
        labels: { "app.kubernetes.io/component": "function" }, // so that the network policies let it be woken
        annotations: {
          "autoscaling.knative.dev/window": "6s",
          "autoscaling.knative.dev/max-scale": "1",
          "queue.sidecar.serving.knative.dev/cpu-resource-request": "25m",
          "queue.sidecar.serving.knative.dev/memory-resource-request": "32Mi",
          "queue.sidecar.serving.knative.dev/memory-resource-limit": "128Mi",
        },
      },
      spec: {
        timeoutSeconds: 60,
        ...(!token && { automountServiceAccountToken: false }), // Knative takes no other value
        containers: [
          {
            image,
            command: [
              "/usr/local/bin/bun",
              "--no-install",
              "-e",
              'Bun.serve({ port: 8080, fetch: () => new Response("OK") })',
            ],
            ports: [{ containerPort: 8080 }],
            resources: { requests: { cpu: "25m", memory: "96Mi" }, limits: { memory: "256Mi" } },
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 65532,
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
              seccompProfile: { type: "RuntimeDefault" },
            },
          },
        ],
      },
    },
  },
});
