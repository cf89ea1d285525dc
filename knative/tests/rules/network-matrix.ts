import { expectedFlows, outsiders, ports, strangersLike } from "../flows.ts";
import { type Actor, isAllowed, isPolicy, type Port, portsIn } from "../network.ts";
import { functionOf, type Pod } from "../project.ts";
import { isProduction, type Rule } from "../rule.ts";

/** Who may reach whom, on which port: exactly the table of flows, everything else is refused. */
export const networkMatrix: Rule = {
  name: "network-matrix",
  check: (build) => {
    const insiders = [...new Map(build.pods.map((pod) => [actorName(pod), toActor(pod)])).values()];
    const expected = expectedFlows(insiders, { production: isProduction(build) });
    const actual = new Set(flowsBetween(build.manifests, insiders));
    return [
      ...[...expected].filter((flow) => !actual.has(flow)).map((flow) => `Cannot reach ${flow}: no policy allows it`),
      ...[...actual].filter((flow) => !expected.has(flow)).map((flow) => `Cannot accept ${flow}: nobody needs it`),
    ];
  },
};

/** A function's pod has its name, a job of it the component's too: `orders`, `orders settle`. */
function actorName(pod: Pod): string {
  const name = functionOf(pod);
  if (name === undefined) return "postgres";
  return pod.job ? `${name} ${pod.labels["app.kubernetes.io/component"]}` : name;
}

const toActor = (pod: Pod): Actor => ({ name: actorName(pod), namespace: pod.namespace, labels: pod.labels });

/** At least one end is ours: the others' namespaces are not this folder's to guard. */
function* flowsBetween(manifests: Parameters<typeof isAllowed>[0], insiders: readonly Actor[]): Generator<string> {
  const known = [...insiders, ...outsiders];
  const all = [...known, ...strangersLike(known)];
  const asked = new Set([...ports, ...portsOf(manifests)]);
  for (const from of all) {
    for (const to of all) {
      if (!insiders.includes(from) && !insiders.includes(to)) continue;
      for (const port of asked) if (isAllowed(manifests, from, to, port)) yield `${from.name} → ${to.name}:${port}`;
    }
  }
}

/** Those that the policies name. */
const portsOf = (manifests: Parameters<typeof isAllowed>[0]): Port[] =>
  manifests
    .filter(isPolicy)
    .flatMap(portsIn)
    .filter(({ port }) => port !== undefined)
    .map(({ port, protocol = "TCP" }) => (protocol === "TCP" ? `${port}` : `${port}/${protocol}`) as Port);
