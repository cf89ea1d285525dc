/** What the work answers, unless it takes longer. */
export async function within<T>(name: string, timeoutMs: number, work: T): Promise<Awaited<T>> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`"${name}" took longer than ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
