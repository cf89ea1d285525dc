import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Manifest, NetworkPolicySpec } from "./manifest.ts";
import { type Actor, isAllowed } from "./network.ts";

const shop: Actor = { name: "shop", namespace: "shop", labels: { app: "shop" } };
const database: Actor = { name: "database", namespace: "shop", labels: { app: "database" } };
const other: Actor = { name: "other", namespace: "other", labels: { app: "shop" } };
const internet: Actor = { name: "internet", address: "203.0.113.1", labels: {} };

const policy = (spec: NetworkPolicySpec): Manifest => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "one", namespace: "shop" },
  spec,
});
const denyAll = policy({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
const into = (to: string, from?: NonNullable<NetworkPolicySpec["ingress"]>[number]) =>
  policy({ podSelector: { matchLabels: { app: to } }, policyTypes: ["Ingress"], ingress: [from ?? {}] });
const outOf = (from: string, to?: NonNullable<NetworkPolicySpec["egress"]>[number]) =>
  policy({ podSelector: { matchLabels: { app: from } }, policyTypes: ["Egress"], egress: [to ?? {}] });

describe("a connection", () => {
  it("passes where no policy selects either end, and stops where one selects and allows nothing", () => {
    assert.equal(isAllowed([], shop, database, "5432"), true);
    assert.equal(isAllowed([denyAll], shop, database, "5432"), false);
    assert.equal(isAllowed([denyAll], internet, database, "5432"), false);
    assert.equal(isAllowed([denyAll], other, internet, "443"), true, "a policy is for its own namespace");
  });

  it("has to be allowed at both ends, at each by one policy of several", () => {
    assert.equal(isAllowed([denyAll, outOf("shop")], shop, database, "5432"), false);
    assert.equal(isAllowed([denyAll, into("database")], shop, database, "5432"), false);
    assert.equal(isAllowed([denyAll, outOf("shop"), into("database")], shop, database, "5432"), true);
  });

  it("is held to the ports of the rule that names the peer", () => {
    const on5432 = into("database", { ports: [{ port: 5432, protocol: "TCP" }] });
    assert.equal(isAllowed([on5432], shop, database, "5432"), true);
    assert.equal(isAllowed([on5432], shop, database, "8000"), false);
  });

  it("is held to the protocol, which is TCP where none is named, and to the end of a range", () => {
    const dns = into("database", { ports: [{ port: 53 }] });
    assert.equal(isAllowed([dns], shop, database, "53"), true);
    assert.equal(isAllowed([dns], shop, database, "53/UDP"), false);
    const range = into("database", { ports: [{ port: 5000, endPort: 6000, protocol: "TCP" }] });
    assert.deepEqual(
      (["4999", "5000", "5432", "6000", "6001"] as const).map((port) => isAllowed([range], shop, database, port)),
      [false, true, true, true, false],
    );
  });

  it("is held to a policy without types, too: it is for what comes in, and for what goes out if it says so", () => {
    const untyped = (spec: object) => policy({ podSelector: {}, ...spec } as NetworkPolicySpec);
    assert.equal(isAllowed([untyped({})], shop, database, "5432"), false);
    assert.equal(isAllowed([untyped({})], shop, internet, "443"), true);
    assert.equal(isAllowed([untyped({ egress: [] })], shop, internet, "443"), false);
    assert.equal(isAllowed([denyAll, outOf("shop"), untyped({ ingress: [{}] })], shop, database, "5432"), true);
  });

  it("comes from a pod of the policy's own namespace, unless the peer names another", () => {
    const byPod = into("database", { from: [{ podSelector: { matchLabels: { app: "shop" } } }] });
    assert.equal(isAllowed([byPod], shop, database, "5432"), true);
    assert.equal(isAllowed([byPod], other, database, "5432"), false);
    const named = { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["other"] }] };
    const byNamespace = into("database", { from: [{ namespaceSelector: named }] });
    assert.equal(isAllowed([byNamespace], other, database, "5432"), true);
    assert.equal(isAllowed([byNamespace], shop, database, "5432"), false);
  });

  it("needs both selectors of one peer, and one of two peers", () => {
    const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": "other" } };
    const podSelector = { matchLabels: { app: "nobody" } };
    assert.equal(
      isAllowed([into("database", { from: [{ namespaceSelector, podSelector }] })], other, database, "1"),
      false,
    );
    assert.equal(
      isAllowed([into("database", { from: [{ namespaceSelector }, { podSelector }] })], other, database, "1"),
      true,
    );
  });

  it("leaves the cluster by a block of addresses only, and one of all addresses may mean pods", () => {
    const toBlock = outOf("shop", { to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] });
    assert.equal(isAllowed([toBlock], shop, internet, "443"), true);
    assert.equal(isAllowed([toBlock], shop, database, "5432"), true);
    const toPart = outOf("shop", { to: [{ ipBlock: { cidr: "203.0.113.0/24" } }] });
    assert.deepEqual(
      [internet, database].map((to) => isAllowed([toPart], shop, to, "443")),
      [true, false],
    );
    const toNode = outOf("shop", { to: [{ ipBlock: { cidr: "169.254.20.10/32" } }, { ipBlock: { cidr: "::/0" } }] });
    const at = (address: string): Actor => ({ name: "node", address, labels: {} });
    assert.deepEqual(
      ["169.254.20.10", "169.254.20.11", "203.0.113.1", "2001:db8::1"].map((address) =>
        isAllowed([toNode], shop, at(address), "53"),
      ),
      [true, false, false, true],
    );
    assert.equal(isAllowed([outOf("shop", { to: [{ podSelector: {} }] })], shop, internet, "443"), false);
  });

  it("is judged by every operator of a selector, and one that does not exist is refused", () => {
    const judge = (operator: string, values?: string[]) => {
      const podSelector = { matchExpressions: [{ key: "app", operator, ...(values && { values }) }] };
      return isAllowed([policy({ podSelector, policyTypes: ["Ingress"] })], shop, database, "5432");
    };
    assert.deepEqual(
      [judge("In", ["database"]), judge("NotIn", ["shop"]), judge("Exists"), judge("DoesNotExist")],
      [false, false, false, true],
    );
    assert.throws(() => judge("Like", ["data"]), /Cannot evaluate the operator "Like"/);
  });
});
