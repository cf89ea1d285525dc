import { BlockList, isIPv6 } from "node:net";
import type { LabelSelector, Manifest, NetworkPeer, NetworkPort } from "./manifest.ts";

/** Who speaks or is spoken to: a pod in its namespace, or an address that is no pod's. */
export interface Actor {
  name: string;
  namespace?: string;
  address?: string;
  labels: Record<string, string>;
}

export const isPolicy = ({ kind }: Manifest): boolean => kind === "NetworkPolicy";

/** Every port that a policy names, in either direction. */
export const portsIn = ({ spec }: Manifest): NetworkPort[] =>
  [...(spec?.ingress ?? []), ...(spec?.egress ?? [])].flatMap(({ ports = [] }) => ports);

/** A port and its protocol: `53/UDP`; TCP where none is named. */
export type Port = `${number}` | `${number}/${"TCP" | "UDP" | "SCTP"}`;

/** Whether a connection passes the policies of both ends (https://kubernetes.io/docs/concepts/services-networking/network-policies/). */
export function isAllowed(policies: readonly Manifest[], from: Actor, to: Actor, port: Port): boolean {
  return (
    passes(policies, from, "Egress", (spec) =>
      (spec?.egress ?? []).some((rule) => admits(rule.to, to, spec.namespace) && covers(rule.ports, port)),
    ) &&
    passes(policies, to, "Ingress", (spec) =>
      (spec?.ingress ?? []).some((rule) => admits(rule.from, from, spec.namespace) && covers(rule.ports, port)),
    )
  );
}

type Scoped = NonNullable<Manifest["spec"]> & { namespace: string | undefined };

/** A pod that no policy selects for a direction is open in it; of several it is enough that one allows. */
function passes(
  policies: readonly Manifest[],
  actor: Actor,
  direction: "Ingress" | "Egress",
  allows: (spec: Scoped) => boolean,
): boolean {
  const selecting = policies.filter(
    (policy) =>
      isPolicy(policy) &&
      policy.metadata.namespace === actor.namespace &&
      directionsOf(policy).includes(direction) &&
      selects(policy.spec?.podSelector, actor.labels),
  );
  return (
    selecting.length === 0 || selecting.some(({ spec, metadata }) => allows({ ...spec, namespace: metadata.namespace }))
  );
}

/** Where nothing is said, a policy is for what comes in, and for what goes out if it has a rule for that. */
function directionsOf({ spec }: Manifest): readonly string[] {
  return spec?.policyTypes ?? ["Ingress", ...(spec?.egress ? ["Egress"] : [])];
}

/** No list means everybody; a peer without a namespace is in the policy's own. */
function admits(peers: readonly NetworkPeer[] | undefined, actor: Actor, namespace: string | undefined): boolean {
  return !peers || peers.some((peer) => matches(peer, actor, namespace));
}

function matches(peer: NetworkPeer, actor: Actor, namespace: string | undefined): boolean {
  if (peer.ipBlock) return isWithin(actor.address, peer.ipBlock.cidr);
  if (actor.namespace === undefined) return false;
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector, { "kubernetes.io/metadata.name": actor.namespace })
    : actor.namespace === namespace;
  return inNamespace && selects(peer.podSelector, actor.labels);
}

/** A pod's address is for selectors to name; but some networks (Calico) let a block of all addresses mean pods as well. */
export function isWithin(address: string | undefined, cidr: string): boolean {
  if (address === undefined) return cidr.endsWith("/0");
  const family = (ip: string) => (isIPv6(ip) ? "ipv6" : "ipv4");
  const [network = "", bits] = cidr.split("/");
  const block = new BlockList();
  block.addSubnet(network, Number(bits), family(network));
  return family(address) === family(network) && block.check(address, family(address));
}

/** No list means every port; a port may be the first of a range. */
function covers(ports: readonly NetworkPort[] | undefined, asked: Port): boolean {
  const [number, protocol = "TCP"] = asked.split("/");
  return (
    !ports ||
    ports.some(({ port, endPort = port, protocol: own = "TCP" }) => {
      const isInRange = port === undefined || (Number(number) >= port && Number(number) <= (endPort ?? port));
      return own === protocol && isInRange;
    })
  );
}

/** No selector, or an empty one, is for all. */
export function selects(selector: LabelSelector | undefined, labels: Record<string, string>): boolean {
  const exact = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return exact && (selector?.matchExpressions ?? []).every((expression) => holds(expression, labels));
}

function holds(
  { key, operator, values = [] }: { key: string; operator: string; values?: string[] },
  labels: Record<string, string>,
): boolean {
  const value = labels[key];
  if (operator === "In") return value !== undefined && values.includes(value);
  if (operator === "NotIn") return value === undefined || !values.includes(value);
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  throw new Error(`Cannot evaluate the operator "${operator}": should be In, NotIn, Exists or DoesNotExist`);
}
