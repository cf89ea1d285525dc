import { type Container, containersOf, type Handler, type Probe, type SecurityContext } from "./manifest.ts";
import type { Pod } from "./project.ts";

/** One control of the Pod Security Standards. */
export interface Check {
  /** As k8s.io/pod-security-admission names it. */
  id: string;
  level: "baseline" | "restricted";
  allows(pod: Pick<Pod, "spec" | "annotations">): boolean;
}

const capabilities = new Set(
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(
    " ",
  ),
);
const sysctls = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);
const selinuxTypes = new Set(["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"]);
const volumes = "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split(" ");
const appArmor = "container.apparmor.security.beta.kubernetes.io/";

type Subject = Pick<Pod, "spec" | "annotations">;

const each = (isGood: (container: Container) => boolean) => (pod: Subject) => containersOf(pod.spec).every(isGood);
/** Of the pod's own context and of each container's. */
const eachContext = (isGood: (context: SecurityContext) => boolean) => (pod: Subject) =>
  [pod.spec, ...containersOf(pod.spec)].every(({ securityContext }) => isGood(securityContext ?? {}));
/** What a container says, else what the pod says. */
const inherited = (isGood: (context: SecurityContext) => boolean) => (pod: Subject) =>
  containersOf(pod.spec).every(({ securityContext }) => isGood({ ...pod.spec.securityContext, ...securityContext }));
const hasNoHost = (handler: Handler | Probe | undefined) => !handler?.httpGet?.host && !handler?.tcpSocket?.host;

/**
 * All nineteen of the profile "restricted", for Linux pods that share the node's users.
 * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export const checks: readonly Check[] = [
  { id: "appArmorProfile", level: "baseline", allows: (pod) => hasGoodAppArmor(pod) },
  {
    id: "capabilities_baseline",
    level: "baseline",
    allows: each(({ securityContext }) =>
      (securityContext?.capabilities?.add ?? []).every((name) => capabilities.has(name)),
    ),
  },
  {
    id: "hostNamespaces",
    level: "baseline",
    allows: ({ spec }) => !spec.hostNetwork && !spec.hostPID && !spec.hostIPC,
  },
  {
    id: "hostPathVolumes",
    level: "baseline",
    allows: ({ spec }) => (spec.volumes ?? []).every((volume) => volume.hostPath === undefined),
  },
  { id: "hostPorts", level: "baseline", allows: each(({ ports = [] }) => ports.every(({ hostPort }) => !hostPort)) },
  {
    id: "hostProbesAndHostLifecycle",
    level: "baseline",
    allows: each(({ readinessProbe, livenessProbe, startupProbe, lifecycle }) =>
      [readinessProbe, livenessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].every(hasNoHost),
    ),
  },
  { id: "privileged", level: "baseline", allows: each(({ securityContext }) => !securityContext?.privileged) },
  {
    id: "procMount",
    level: "baseline",
    allows: each(({ securityContext }) => (securityContext?.procMount ?? "Default") === "Default"),
  },
  {
    id: "seLinuxOptions",
    level: "baseline",
    allows: eachContext(
      ({ seLinuxOptions: options }) => selinuxTypes.has(options?.type ?? "") && !options?.user && !options?.role,
    ),
  },
  {
    id: "seccompProfile_baseline",
    level: "baseline",
    allows: eachContext(({ seccompProfile }) => seccompProfile?.type !== "Unconfined"),
  },
  {
    id: "sysctls",
    level: "baseline",
    allows: ({ spec }) => (spec.securityContext?.sysctls ?? []).every(({ name }) => sysctls.has(name)),
  },
  {
    id: "windowsHostProcess",
    level: "baseline",
    allows: eachContext(({ windowsOptions }) => !windowsOptions?.hostProcess),
  },
  {
    id: "allowPrivilegeEscalation",
    level: "restricted",
    allows: each(({ securityContext }) => securityContext?.allowPrivilegeEscalation === false),
  },
  {
    id: "capabilities_restricted",
    level: "restricted",
    allows: each(({ securityContext }) => {
      const { add = [], drop = [] } = securityContext?.capabilities ?? {};
      return drop.includes("ALL") && add.every((name) => name === "NET_BIND_SERVICE");
    }),
  },
  {
    id: "procMount_restricted",
    level: "restricted",
    allows: each(({ securityContext }) => (securityContext?.procMount ?? "Default") === "Default"),
  },
  {
    id: "restrictedVolumes",
    level: "restricted",
    allows: ({ spec }) =>
      (spec.volumes ?? []).every(
        (volume) => Object.keys(volume).length === 1 || volumes.some((type) => volume[type] !== undefined), // none: emptyDir
      ),
  },
  { id: "runAsNonRoot", level: "restricted", allows: inherited(({ runAsNonRoot }) => runAsNonRoot === true) },
  { id: "runAsUser", level: "restricted", allows: eachContext(({ runAsUser }) => runAsUser !== 0) },
  {
    id: "seccompProfile_restricted",
    level: "restricted",
    allows: inherited(({ seccompProfile }) => ["RuntimeDefault", "Localhost"].includes(seccompProfile?.type ?? "")),
  },
];

function hasGoodAppArmor(pod: Subject): boolean {
  const profiles = [pod.spec, ...containersOf(pod.spec)].map(({ securityContext }) => securityContext?.appArmorProfile);
  const annotations = Object.entries(pod.annotations).filter(([key]) => key.startsWith(appArmor));
  return (
    profiles.every((profile) => !profile || ["RuntimeDefault", "Localhost"].includes(profile.type)) &&
    annotations.every(([, value]) => value === "" || value === "runtime/default" || value.startsWith("localhost/"))
  );
}
