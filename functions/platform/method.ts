const known = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"]);
const other = "_OTHER";

/** A request's method as telemetry has it, never one that a caller made up (OpenTelemetry semantic conventions, HTTP). */
export const methodName = (method: string): string => (known.has(method) ? method : other);

/** The name of a request's span, by its {@link methodName} and the route's template. */
export function spanName(method: string, route?: string): string {
  const verb = method === other ? "HTTP" : method;
  return route === undefined ? verb : `${verb} ${route}`;
}
