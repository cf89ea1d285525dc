import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Container, PodSpec, SecurityContext } from "./manifest.ts";
import { checks } from "./pod-security.ts";

const good: SecurityContext = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};
const container = (more: Partial<Container> = {}): Container => ({
  name: "one",
  image: "one",
  securityContext: good,
  ...more,
});
const withContext = (more: SecurityContext) => ({ containers: [container({ securityContext: { ...good, ...more } })] });
const withVolume = (type: string) => ({
  containers: [container()],
  volumes: [{ name: "one", [type]: {} }],
});

/** A pod that each check has to refuse. */
const bad: Record<string, PodSpec[]> = {
  appArmorProfile: [withContext({ appArmorProfile: { type: "Unconfined" } })],
  capabilities_baseline: [withContext({ capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } })],
  hostNamespaces: (["hostNetwork", "hostPID", "hostIPC"] as const).map((name) => ({
    containers: [container()],
    [name]: true,
  })),
  hostPathVolumes: [withVolume("hostPath")],
  hostPorts: [{ containers: [container({ ports: [{ containerPort: 8080, hostPort: 80 }] })] }],
  hostProbesAndHostLifecycle: [
    { containers: [container({ livenessProbe: { httpGet: { host: "10.0.0.1" } } })] },
    { containers: [container({ lifecycle: { preStop: { tcpSocket: { host: "10.0.0.1" } } } })] },
  ],
  privileged: [withContext({ privileged: true })],
  procMount: [withContext({ procMount: "Unmasked" })],
  seLinuxOptions: [
    withContext({ seLinuxOptions: { type: "spc_t" } }),
    withContext({ seLinuxOptions: { user: "root" } }),
    withContext({ seLinuxOptions: { role: "admin" } }),
  ],
  seccompProfile_baseline: [withContext({ seccompProfile: { type: "Unconfined" } })],
  sysctls: [{ containers: [container()], securityContext: { sysctls: [{ name: "kernel.msgmax" }] } }],
  windowsHostProcess: [withContext({ windowsOptions: { hostProcess: true } })],
  allowPrivilegeEscalation: [
    { containers: [container({ securityContext: { runAsNonRoot: true, capabilities: { drop: ["ALL"] } } })] },
  ],
  capabilities_restricted: [
    withContext({ capabilities: {} }),
    withContext({ capabilities: { drop: ["ALL"], add: ["CHOWN"] } }),
  ],
  procMount_restricted: [withContext({ procMount: "Unmasked" })],
  restrictedVolumes: [withVolume("nfs"), withVolume("hostPath")],
  runAsNonRoot: [withContext({ runAsNonRoot: false }), { containers: [container({ securityContext: {} })] }],
  runAsUser: [withContext({ runAsUser: 0 }), { containers: [container()], securityContext: { runAsUser: 0 } }],
  seccompProfile_restricted: [{ containers: [container({ securityContext: {} })] }],
};

describe("Pod Security restricted", () => {
  it("is nineteen checks, twelve of them baseline's", () => {
    assert.equal(checks.length, 19);
    assert.equal(checks.filter(({ level }) => level === "baseline").length, 12);
    assert.deepEqual(new Set(checks.map(({ id }) => id)), new Set(Object.keys(bad)));
  });

  it("takes a pod that gives up everything", () => {
    const pod = { spec: { containers: [container()], volumes: [{ name: "tmp", emptyDir: {} }] }, annotations: {} };
    assert.deepEqual(
      checks.filter(({ allows }) => !allows(pod)),
      [],
    );
  });

  for (const { id, allows } of checks) {
    it(`refuses what ${id} forbids, in an init container too`, () => {
      for (const spec of bad[id] ?? []) {
        assert.equal(allows({ spec, annotations: {} }), false, JSON.stringify(spec));
        const { containers, ...pod } = spec;
        const init = { ...pod, containers: [container()], initContainers: containers };
        assert.equal(allows({ spec: init, annotations: {} }), false, JSON.stringify(init));
      }
    });
  }

  it("refuses an AppArmor profile that an annotation switches off", () => {
    const annotations = { "container.apparmor.security.beta.kubernetes.io/one": "unconfined" };
    const refused = checks.filter(({ allows }) => !allows({ spec: { containers: [container()] }, annotations }));
    assert.deepEqual(
      refused.map(({ id }) => id),
      ["appArmorProfile"],
    );
  });
});
