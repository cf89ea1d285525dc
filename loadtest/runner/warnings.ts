/** Says each different thing once, and at the end how often. */
export function createWarnings(say: (text: string) => void) {
  const counts = new Map<string, number>();
  return {
    warn(text: string): void {
      const count = counts.get(text) ?? 0;
      counts.set(text, count + 1);
      if (count === 0) say(text);
    },
    /** What was said more than once. */
    repeated: (): string[] =>
      [...counts].filter(([, count]) => count > 1).map(([text, count]) => `${count} times: ${text}`),
  };
}
