import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import { type Schema, strict } from "./strict-schema.ts";

/** What the manifests are held against. After a change here: `bun knative/tools/vendor-schemas.ts`. */
const kubernetes = {
  source: "https://raw.githubusercontent.com/kubernetes/kubernetes/v1.36.3/api/openapi-spec/swagger.json",
  kinds: [
    "v1.ConfigMap",
    "v1.LimitRange",
    "v1.Namespace",
    "v1.ResourceQuota",
    "v1.Secret",
    "v1.Service",
    "v1.ServiceAccount",
    "apps.v1.StatefulSet",
    "batch.v1.CronJob",
    "batch.v1.Job",
    "networking.k8s.io.v1.NetworkPolicy",
    "rbac.authorization.k8s.io.v1.Role",
    "rbac.authorization.k8s.io.v1.RoleBinding",
  ],
};
const raw = "https://raw.githubusercontent.com";
const customResources = [
  `${raw}/knative/serving/knative-v1.23.0/config/core/300-resources/service.yaml`,
  `${raw}/knative/operator/knative-v1.23.0/config/crd/bases/operator.knative.dev_knativeservings.yaml`,
  `${raw}/cloudnative-pg/cloudnative-pg/v1.30.0/config/crd/bases/postgresql.cnpg.io_clusters.yaml`,
  `${raw}/cloudnative-pg/cloudnative-pg/v1.30.0/config/crd/bases/postgresql.cnpg.io_databases.yaml`,
  `${raw}/cloudnative-pg/cloudnative-pg/v1.30.0/config/crd/bases/postgresql.cnpg.io_databaseroles.yaml`,
  `${raw}/external-secrets/external-secrets/v1.3.2/config/crds/bases/external-secrets.io_externalsecrets.yaml`,
  `${raw}/external-secrets/external-secrets/v1.3.2/config/crds/bases/generators.external-secrets.io_passwords.yaml`,
];
const servingConfig = "https://github.com/knative/serving/releases/download/knative-v1.23.0/serving-core.yaml";

const folder = fileURLToPath(new URL("../schemas/", import.meta.url));
const { values } = parseArgs({ options: { mirror: { type: "string" } } });
const files = new Map<string, string>();

try {
  await vendorKubernetes();
  for (const source of customResources) await vendorCustomResource(source);
  await vendorServingConfig();
  // Only now: whatever could not be read leaves what was there.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const [name, text] of files) await writeFile(join(folder, name), text);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

/** From where it is published, or from a folder that holds the same by host and path. */
async function read(source: string): Promise<string> {
  if (values.mirror) return await readFile(join(values.mirror, source.replace("https://", "")), "utf8");
  const reply = await fetch(source);
  if (!reply.ok) throw new Error(`Cannot read "${source}": status ${reply.status}`);
  return await reply.text();
}

type Swagger = { definitions: Record<string, Schema & { "x-kubernetes-group-version-kind"?: GroupVersionKind[] }> };
type GroupVersionKind = { group: string; version: string; kind: string };

async function vendorKubernetes(): Promise<void> {
  const { definitions } = JSON.parse(await read(kubernetes.source)) as Swagger;
  const wanted = new Set<string>();
  const want = (name: string) => {
    const definition = definitions[name];
    if (!definition || wanted.has(name)) return;
    wanted.add(name);
    for (const [, next = ""] of JSON.stringify(definition).matchAll(/"#\/definitions\/([^"]+)"/g)) want(next);
  };
  const kinds: Record<string, Schema> = {};
  for (const [name, { "x-kubernetes-group-version-kind": ids }] of Object.entries(definitions)) {
    const [id] = ids ?? [];
    if (!id || ids?.length !== 1) continue;
    const { group, version, kind } = id;
    if (!kubernetes.kinds.includes([group, version, kind].filter(Boolean).join("."))) continue;
    want(name);
    kinds[[group, version, kind].filter(Boolean).join("/")] = { $ref: `#/definitions/${name}` };
  }
  if (Object.keys(kinds).length !== kubernetes.kinds.length)
    throw new Error("Cannot vendor Kubernetes: a kind is missing");
  const kept = [...wanted].sort().map((name) => [name, strict(definitions[name] ?? {})]);
  put("kubernetes", { source: kubernetes.source, kinds, definitions: Object.fromEntries(kept) });
}

interface Crd {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; storage: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}

async function vendorCustomResource(source: string): Promise<void> {
  for (const document of parseAllDocuments(await read(source))) {
    const crd = document.toJS() as Crd | null;
    if (!crd) continue;
    const { group, names, versions } = crd.spec;
    const version = versions.find(({ storage }) => storage);
    if (!version) throw new Error(`Cannot vendor "${source}": no stored version`);
    const schema = strict(version.schema.openAPIV3Schema);
    // The server knows these of every object; a definition need not say.
    for (const [name, type] of [
      ["apiVersion", "string"],
      ["kind", "string"],
      ["metadata", "object"],
    ] as const)
      schema.properties = { ...schema.properties, [name]: { type } };
    if (schema.properties?.status) delete schema.properties.status;
    put(names.kind.toLowerCase() === "service" ? "knative-service" : names.kind.toLowerCase(), {
      source,
      kinds: { [`${group}/${version.name}/${names.kind}`]: schema },
      definitions: {},
    });
  }
}

/** The keys that each of Serving's ConfigMaps knows: they stand in its example. */
async function vendorServingConfig(): Promise<void> {
  const keys: Record<string, string[]> = {};
  for (const document of parseAllDocuments(await read(servingConfig))) {
    const { kind, metadata, data } = (document.toJS() ?? {}) as {
      kind?: string;
      metadata: { name: string };
      data: Record<string, string>;
    };
    if (kind !== "ConfigMap" || !data._example) continue;
    const found = data._example.matchAll(/^([a-z][\w.-]*):/gm);
    keys[metadata.name] = [...new Set([...found].map((match) => match[1] ?? ""))].sort();
  }
  put("serving-config", { source: servingConfig, keys });
}

/** One definition a line: small, and a new version can be read as a difference. */
function put(name: string, content: Record<string, unknown>): void {
  const lines = Object.entries(content).map(([key, value]) => {
    if (typeof value !== "object" || value === null) return `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    const inner = Object.entries(value).map(([id, schema]) => `    ${JSON.stringify(id)}: ${JSON.stringify(schema)}`);
    return `  ${JSON.stringify(key)}: {${inner.length > 0 ? `\n${inner.join(",\n")}\n  ` : ""}}`;
  });
  files.set(`${name}.json`, `{\n${lines.join(",\n")}\n}\n`);
}
