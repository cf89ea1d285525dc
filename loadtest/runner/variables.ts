/** Reads what `-e` was given, each `NAME=value`; the last of a name wins. */
export function readVariables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value = ""] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (name === undefined) throw new Error(`Cannot read -e "${pair}": should be NAME=value`);
      return [name, value];
    }),
  );
}
