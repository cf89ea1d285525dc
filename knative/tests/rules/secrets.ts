import { describe, type Manifest } from "../manifest.ts";
import { type Build, isProduction, type Rule } from "../rule.ts";

/** A user with a password before the host, unless a template is still to fill it in. */
const credentials = /\b[a-z]+:\/\/[^\s/:@]+:(?!\{\{)[^\s/@]+@/;
const secretName = /PASSWORD|SECRET|TOKEN|PRIVATE_KEY|DATABASE_URL/;
const keyMaterial = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** No secret stands in Git, but for local's, which say that they are to be thrown away. */
export const secrets: Rule = {
  name: "secrets",
  check: (build) => [...strayObjects(build), ...literals(build), ...texts(build)],
};

const strayObjects = (build: Build) =>
  build.manifests
    .filter(
      ({ kind, metadata }) => kind === "Secret" && (isProduction(build) || metadata.labels?.["throw-away"] !== "true"),
    )
    .map((secret) => `Cannot accept ${describe(secret)}: secrets are referred to, or labelled "throw-away" in local`);

const literals = ({ pods }: Build) =>
  pods.flatMap(({ of, spec }) =>
    spec.containers.flatMap(({ env = [] }) =>
      env
        .filter(({ name, value }) => value !== undefined && (secretName.test(name) || credentials.test(value)))
        .map(({ name }) => `Cannot accept ${of}: the value of ${name} stands in it`),
    ),
  );

const texts = ({ manifests }: Build) =>
  manifests
    .filter(({ kind }) => kind !== "Secret" && !isWorkload(kind))
    .filter((manifest) => [credentials, keyMaterial].some((pattern) => pattern.test(JSON.stringify(manifest))))
    .map((manifest) => `Cannot accept ${describe(manifest)}: it holds a credential`);

const isWorkload = (kind: Manifest["kind"]) => ["Service", "Job", "CronJob", "StatefulSet"].includes(kind);
