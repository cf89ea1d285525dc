import { outsiders } from "../flows.ts";
import { describe, type LabelSelector, type NetworkPeer } from "../manifest.ts";
import { isPolicy, isWithin, portsIn, selects } from "../network.ts";
import { type Build, type Rule, refusals } from "../rule.ts";

/** Every policy and every peer in it selects somebody: a misspelt label would allow nothing, or guard nobody. */
export const networkSelectors: Rule = {
  name: "network-selectors",
  check: (build) =>
    build.manifests.filter(isPolicy).flatMap((policy) => {
      const { podSelector, ingress = [], egress = [] } = policy.spec ?? {};
      const peers = [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
      return refusals(describe(policy), [
        ...unused(podSelector, build.pods, "itself"),
        ...peers.filter(({ ipBlock }) => !ipBlock).flatMap((peer) => unusedPeer(peer, build)),
        ...peers.map(
          ({ ipBlock }) =>
            ipBlock !== undefined && !isSomebodys(ipBlock.cidr) && `"${ipBlock.cidr}" is nobody's address`,
        ),
        ...portsIn(policy)
          .filter(({ port }) => typeof port === "string")
          .map(({ port }) => `its port "${port}" should be a number: what it opens depends on the pod`),
      ]);
    }),
};

const isSomebodys = (cidr: string) => outsiders.some(({ address }) => address && isWithin(address, cidr));

type Labelled = { labels: Record<string, string>; namespace?: string };

function unusedPeer(peer: NetworkPeer, { pods }: Build): string[] {
  const { namespaceSelector } = peer;
  const candidates: readonly Labelled[] = namespaceSelector
    ? outsiders.filter(({ namespace = "" }) => selects(namespaceSelector, { "kubernetes.io/metadata.name": namespace }))
    : pods;
  return unused(peer.podSelector, candidates, "a peer");
}

/** Each value of an "In" is looked at by itself, or one right name would hide a wrong one. */
function unused(selector: LabelSelector | undefined, among: readonly Labelled[], what: string): string[] {
  if (!among.some(({ labels }) => selects(selector, labels)))
    return [`${what} selects nobody: ${JSON.stringify(selector)}`];
  return (selector?.matchExpressions ?? [])
    .filter(({ operator }) => operator === "In")
    .flatMap(({ key, values = [] }) => values.map((value) => [key, value] as const))
    .filter(([key, value]) => !among.some(({ labels }) => labels[key] === value))
    .map(([key, value]) => `${what} names "${value}", which nobody has as ${key}`);
}
