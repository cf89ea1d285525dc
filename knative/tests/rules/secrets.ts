import { shop } from "@shop/dev/shop";
import { platformEntries } from "@shop/platform/config";
import { otelEntries } from "@shop/platform/otel-config";
import { containersOf, describe } from "../manifest.ts";
import { type Build, isProduction, type Rule } from "../rule.ts";

/** A user with a password before the host, unless a template is still to fill it in. */
const credentials = /\b[a-z]+:\/\/[^\s/:@]*:(?!\{\{)[^\s/@]+@/;
const keyMaterial = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** The variables whose values may stand in a manifest. Under a name that no configuration reads, any value may be a secret. */
const open = new Set([
  ...shop.flatMap(({ peers }) => Object.keys(peers)),
  ...Object.keys({ ...platformEntries, ...otelEntries }).filter((name) => !/HEADERS$|^K_/.test(name)),
  ...["DATABASE_CONNECTIONS_MAX", "REQUEST_TIMEOUT_MS", "PGDATA"],
]);

/** No secret stands in Git, but for local's, which say that they are to be thrown away. */
export const secrets: Rule = {
  name: "secrets",
  check: (build) => [...strayObjects(build), ...texts(build), ...literals(build)],
};

/** Production has no ConfigMap at all, as a password in it could stand under any key. */
const strayObjects = (build: Build) =>
  build.manifests.flatMap((manifest) => {
    const { kind, metadata } = manifest;
    if (kind === "ConfigMap" && isProduction(build))
      return [`Cannot accept ${describe(manifest)}: variables stand in their Service, secrets are referred to`];
    if (kind === "Secret" && (isProduction(build) || metadata.labels?.["throw-away"] !== "true"))
      return [`Cannot accept ${describe(manifest)}: secrets are referred to, or labelled "throw-away" in local`];
    return [];
  });

const texts = ({ manifests }: Build) =>
  manifests
    .filter(({ kind }) => kind !== "Secret")
    .filter((manifest) => [credentials, keyMaterial].some((pattern) => pattern.test(JSON.stringify(manifest))))
    .map((manifest) => `Cannot accept ${describe(manifest)}: it holds a credential`);

const literals = ({ pods }: Build) =>
  pods.flatMap(({ of, spec }) =>
    containersOf(spec).flatMap(({ env = [] }) =>
      env
        .filter(({ name, value }) => value !== undefined && !open.has(name))
        .map(({ name }) => `Cannot accept ${of}: the value of ${name} stands in it, and may be a secret`),
    ),
  );
