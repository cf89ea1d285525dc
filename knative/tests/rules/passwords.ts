import { describe, type Manifest, type Spec } from "../manifest.ts";
import { type Rule, refusals } from "../rule.ts";

/** A password that External Secrets makes is made once, outlives its manifest, belongs to the login of its URL, and fits into it. */
export const passwords: Rule = {
  name: "passwords",
  check: ({ manifests }) =>
    manifests.flatMap((manifest) => {
      const { kind, spec = {} } = manifest;
      const faults =
        kind === "ExternalSecret" ? secretFaults(spec, manifests) : kind === "Password" ? generatorFaults(spec) : [];
      return refusals(describe(manifest), faults);
    }),
};

/** Whoever has a store of passwords takes them from it: a generator has to be there only where one is named. */
function secretFaults({ dataFrom = [], refreshPolicy, target }: Spec, manifests: readonly Manifest[]) {
  const { username, url } = target?.template?.data ?? {};
  const generators = dataFrom.flatMap(({ sourceRef }) => sourceRef?.generatorRef ?? []);
  const isThere = ({ kind, name }: { kind: string; name: string }) =>
    manifests.some((other) => other.kind === kind && other.metadata.name === name);
  return [
    dataFrom.length === 0 && "its password comes from nowhere",
    !generators.every(isThere) && "its generator is not there",
    refreshPolicy !== "CreatedOnce" && "a new password would lock out the pods that live",
    target?.creationPolicy !== "Orphan" && "the password would go with it",
    !url?.startsWith(`postgres://${username}:`) && "its username is not the one of its url",
  ];
}

const generatorFaults = ({ length = 0, symbols }: Spec) => [
  length < 24 && "the password is short",
  symbols !== 0 && "a symbol would have to be escaped in a URL",
];
