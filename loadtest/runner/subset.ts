/** The script is wrong for the runner, or at all, not the shop: such a run says nothing. */
export class NotRunnable extends Error {}

/** Reading a member that is not there throws and names it, where JavaScript would go on with `undefined`. */
export function onlyThese<T extends object>(owner: string, members: T): T {
  return new Proxy(members, {
    get(target, name, receiver) {
      if (typeof name === "symbol" || name in target || harmless.has(name)) return Reflect.get(target, name, receiver);
      throw new NotRunnable(`Cannot use "${name}" of ${owner}: the runner does not implement it`);
    },
  });
}

/** What the language itself asks of any object: `await`, and printing. */
const harmless = new Set(["then", "toJSON", "inspect", "asymmetricMatch", "nodeType", "$$typeof"]);
