import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { build } from "./build.ts";
import { podsOf } from "./project.ts";

const pods = new Map(
  ["environments/local", "environments/production"].map((overlay) => [overlay, podsOf(build(overlay))] as const),
);
const find = (overlay: string, of: string) => pods.get(overlay)?.find((pod) => pod.of === of);

describe("the pods that follow from the manifests", () => {
  it("a function's is its template with the queue-proxy beside it, which takes the readiness probe over", () => {
    const pod = find("environments/local", 'Service "orders"');
    assert.deepEqual(
      pod?.spec.containers.map(({ name }) => name),
      ["user-container", "queue-proxy"],
    );
    assert.equal(pod?.spec.containers[0]?.readinessProbe, undefined);
    assert.equal(pod?.spec.containers[1]?.resources?.limits?.memory, "128Mi");
    assert.equal(pod?.labels["serving.knative.dev/service"], "orders");
  });

  it("there are twice max-scale of a function's, one more than there are instances, and one of each job", () => {
    assert.equal(find("environments/local", 'Service "orders"')?.countMax, 8);
    assert.equal(find("environments/production", 'Cluster "postgres"')?.countMax, 4);
    assert.deepEqual(
      (pods.get("environments/local") ?? []).filter(({ job }) => job).map(({ countMax }) => countMax),
      [1, 1, 1, 1, 1, 1],
    );
  });
});
