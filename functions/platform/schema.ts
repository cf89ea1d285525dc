import type * as v from "valibot";

type Issue = v.BaseIssue<unknown>;

/** Says of a valibot issue where it is and what is wrong, without the value: `lines[0].quantity should be at least 1`. */
export function describeIssue(issue: Issue, whole = "body"): string {
  const deepest = unionIssues(issue).reduce((best, next) => (depth(next) > depth(best) ? next : best));
  const path = [...(issue.path ?? []), ...(deepest === issue ? [] : (deepest.path ?? []))];
  if (deepest.type === "strict_object" && deepest.expected === "never") {
    return `${fieldName(path.slice(0, -1), whole)} has an unknown field`;
  }
  return `${fieldName(path, whole)} ${expectation(deepest)}`;
}

const unionIssues = (issue: Issue): [Issue, ...Issue[]] =>
  issue.type === "union" && issue.issues ? issue.issues : [issue];

const depth = (issue: Issue) => issue.path?.length ?? 0;

function fieldName(path: { key?: unknown }[], whole: string): string {
  const name = path.map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return name === "" ? whole : name.replace(/^\./, "");
}

function expectation({ type, message, requirement, expected, received }: Issue): string {
  if (message.startsWith("should be ")) return message;
  if (received === "undefined" || (expected?.startsWith('"') && type === "strict_object")) return "is missing";
  switch (type) {
    case "integer":
    case "safe_integer":
      return "should be an integer";
    case "min_value":
      return `should be at least ${requirement}`;
    case "max_value":
      return `should be at most ${requirement}`;
    case "min_length":
      return `should have at least ${requirement} entries`;
    case "max_length":
      return `should have at most ${requirement} entries`;
    case "regex":
      return "has a wrong form";
    case "uuid":
      return "should be a UUID";
    case "strict_object":
    case "object":
      return "should be an object";
    default:
      return `should be ${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
  }
}
