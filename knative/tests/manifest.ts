/** A Kubernetes object, as far as the rules look into it; its exact form is the schemas' matter. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  type?: string;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  subjects?: { kind: string; name: string }[];
  roleRef?: { kind: string; name: string };
  spec?: Spec;
}

export interface Metadata {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** The fields of every kind's `spec` side by side. */
export interface Spec extends NetworkPolicySpec, JobSpec, DatabaseSpec {
  replicas?: number;
  instances?: number;
  traffic?: { percent?: number; latestRevision?: boolean; revisionName?: string }[];
  type?: string;
  externalIPs?: string[];
  selector?: Record<string, string>;
  ports?: { port: number }[];
  schedule?: string;
  concurrencyPolicy?: string;
  startingDeadlineSeconds?: number;
  successfulJobsHistoryLimit?: number;
  failedJobsHistoryLimit?: number;
  jobTemplate?: { spec: JobSpec };
  volumeClaimTemplates?: { spec: { resources: Resources } }[];
  inheritedMetadata?: { labels?: Record<string, string> };
  postgresql?: { parameters?: Record<string, string>; pg_hba?: string[]; synchronous?: Synchronous };
  enableSuperuserAccess?: boolean;
  resources?: Resources;
  storage?: { size?: string };
  affinity?: { podAntiAffinityType?: string };
  imageName?: string;
  hard?: Record<string, string>;
  scopes?: string[];
  scopeSelector?: object;
  limits?: { type: string; default?: Record<string, string>; defaultRequest?: Record<string, string> }[];
  config?: Record<string, Record<string, string>>;
}

/** Of CloudNativePG's databases and roles, and of what External Secrets makes of their passwords. */
export interface DatabaseSpec {
  cluster?: { name: string };
  name?: string;
  owner?: string;
  databaseReclaimPolicy?: string;
  login?: boolean;
  superuser?: boolean;
  createdb?: boolean;
  createrole?: boolean;
  replication?: boolean;
  bypassrls?: boolean;
  inRoles?: string[];
  passwordSecret?: { name: string };
  refreshPolicy?: string;
  dataFrom?: { sourceRef?: { generatorRef?: { kind: string; name: string } } }[];
  target?: { name?: string; creationPolicy?: string; template?: { data?: Record<string, string> } };
  length?: number;
  symbols?: number;
}

export interface Synchronous {
  number?: number;
  dataDurability?: string;
  failoverQuorum?: boolean;
}

export interface JobSpec {
  template?: PodTemplate;
  suspend?: boolean;
  completions?: number;
  parallelism?: number;
  backoffLimit?: number;
  activeDeadlineSeconds?: number;
  ttlSecondsAfterFinished?: number;
}

export interface PodTemplate {
  metadata?: Partial<Metadata>;
  spec: PodSpec;
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  ephemeralContainers?: Container[];
  volumes?: (Record<string, unknown> & { name: string })[];
  securityContext?: SecurityContext;
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  hostUsers?: boolean;
  containerConcurrency?: number;
  timeoutSeconds?: number;
  responseStartTimeoutSeconds?: number;
  idleTimeoutSeconds?: number;
}

export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  ports?: { name?: string; containerPort: number; hostPort?: number; protocol?: string }[];
  env?: EnvVar[];
  envFrom?: object[];
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  startupProbe?: Probe;
  lifecycle?: { postStart?: Handler; preStop?: Handler };
  resources?: Resources;
  securityContext?: SecurityContext;
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: { name: string; key: string } };
}

export interface Resources {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

export interface Handler {
  httpGet?: { path?: string; port?: number | string; host?: string };
  tcpSocket?: { host?: string };
}

export interface Probe extends Handler {
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
  successThreshold?: number;
  initialDelaySeconds?: number;
}

export interface SecurityContext {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  runAsNonRoot?: boolean;
  runAsUser?: number;
  procMount?: string;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: { type: string };
  appArmorProfile?: { type: string };
  seLinuxOptions?: { type?: string; user?: string; role?: string };
  windowsOptions?: { hostProcess?: boolean };
  sysctls?: { name: string }[];
}

export interface NetworkPolicySpec {
  podSelector?: LabelSelector;
  policyTypes?: string[];
  ingress?: { from?: NetworkPeer[]; ports?: NetworkPort[] }[];
  egress?: { to?: NetworkPeer[]; ports?: NetworkPort[] }[];
}

export interface NetworkPeer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr: string };
}

export interface NetworkPort {
  port?: number;
  endPort?: number;
  protocol?: string;
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** `Kind "name"`, as messages name an object. */
export const describe = ({ kind, metadata }: Manifest): string => `${kind} "${metadata.name}"`;

/** The Knative Services: one for each function. */
export const knativeServices = (manifests: readonly Manifest[]): Manifest[] =>
  manifests.filter(({ apiVersion, kind }) => kind === "Service" && apiVersion.startsWith("serving.knative.dev/"));

/** Kubernetes' own Services: a name and an address for pods. */
export const coreServices = (manifests: readonly Manifest[]): Manifest[] =>
  manifests.filter(({ apiVersion, kind }) => kind === "Service" && apiVersion === "v1");

/** All that a pod runs, what goes before its own containers too. */
export const containersOf = ({ containers, initContainers = [], ephemeralContainers = [] }: PodSpec): Container[] => [
  ...containers,
  ...initContainers,
  ...ephemeralContainers,
];

/** The only container of a function's pod. */
export const containerOf = (service: Manifest): Container | undefined => service.spec?.template?.spec.containers[0];

/** A function's name, or undefined for what belongs to none. */
export const nameLabel = (labels: Record<string, string> | undefined): string | undefined =>
  labels?.["app.kubernetes.io/name"];
