import { describeExit } from "./instance.ts";
import type { SlotEvent } from "./slot.ts";

export interface PrinterOptions {
  write: (text: string) => void;
  paint: Paint;
  /** Who speaks, in the order of their colours. */
  names: readonly string[];
  now?: () => Date;
}

export interface Printer {
  /** Text as it is. */
  text(text: string): void;
  /** What happens to a function, and what it logs. */
  event(name: string, event: SlotEvent): void;
  /** Something went wrong, but we go on. */
  warn(name: string, text: string): void;
}

export interface BannerOptions {
  url: (name: string) => string;
  databaseUrl: string;
  targetsUrl: string;
  /** Where the functions send their traces, if anywhere. */
  tracesUrl: string | undefined;
  windowMs: number;
  readyMs: number;
  paint: Paint;
}

/** What somebody who has just started the shop wants to know. */
export function banner({ url, databaseUrl, targetsUrl, tracesUrl, windowMs, readyMs, paint }: BannerOptions): string {
  const link = (label: string, target: string) => `  ${paint("dim", label.padEnd(9))} ${target}`;
  const sleep = windowMs === Number.POSITIVE_INFINITY ? "never" : `${duration(windowMs)} after a function's last reply`;
  return [
    "",
    `${paint("bold", "  The shop is open")} ${paint("dim", `after ${duration(readyMs)}`)}`,
    "",
    link("page", url("frontend")),
    link("API", `${url("gateway")}/api`),
    link("docs", `${url("frontend")}/docs`),
    link("database", withoutSecrets(databaseUrl)),
    link("metrics", `${targetsUrl} (for Prometheus)`),
    ...(tracesUrl ? [link("traces", withoutSecrets(tracesUrl))] : []),
    link("sleep", sleep),
    "",
    `  curl ${url("gateway")}/api/orders -H 'Content-Type: application/json' -d '{"item":"item3","quantity":2}'`,
    "",
    "",
  ].join("\n");
}

function withoutSecrets(url: string): string {
  const shown = new URL(url);
  if (shown.password) shown.password = "***";
  else shown.username = ""; // of a collector's URL that is a token
  shown.search = "";
  return shown.href;
}

type Style = "red" | "green" | "yellow" | "blue" | "magenta" | "cyan" | "bold" | "dim";

const codes: Record<Style, number> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
};
const speakers: readonly Style[] = ["cyan", "magenta", "blue", "green", "yellow"];

export type Paint = (style: Style, text: string) => string;

export function createPaint(colour: boolean): Paint {
  return (style, text) => (colour ? `\x1b[${codes[style]}m${text}\x1b[0m` : text);
}

/** One prefixed line for everything that happens. */
export function createPrinter({ write, paint, names, now = () => new Date() }: PrinterOptions): Printer {
  const width = Math.max(...names.map((name) => name.length));
  const style = (name: string) => speakers[names.indexOf(name) % speakers.length] ?? "dim";
  const say = (name: string, text: string) => {
    const prefix = `${paint("dim", clock(now()))}  ${paint(style(name), name.padEnd(width))}  `;
    for (const line of text.split("\n")) write(`${prefix}${line}\n`);
  };
  return {
    text: write,
    event: (name, event) => say(name, describeEvent(name, event, paint)),
    warn: (name, text) => say(name, paint("red", text)),
  };
}

function describeEvent(name: string, event: SlotEvent, paint: Paint): string {
  switch (event.type) {
    case "line":
      return describeLog(event.line, paint);
    case "awake":
      return `${paint("green", "▲ awake")} in ${duration(event.bootMs)}`;
    case "failed":
      return paint("red", `Cannot wake "${name}": ${event.detail}`);
    case "died":
      return paint("red", `Cannot keep "${name}" awake: ${describeExit(event.exit)}`);
    case "changed":
      return `${paint("yellow", "↻ changed")}: the next request wakes a fresh process`;
    case "asleep": {
      const { awakeMs, requests, killed, exit } = event;
      if (killed) return paint("red", `Cannot end "${name}" by SIGTERM: killed`);
      const how = exit.code === 0 ? "" : paint("red", `, ${describeExit(exit)}`);
      return `${paint("dim", "▽ asleep")} after ${duration(awakeMs)}, ${requests} request${requests === 1 ? "" : "s"}${how}`;
    }
  }
}

interface LoggedError {
  message?: string;
  stack?: string;
  cause?: LoggedError;
}

/** A pino line as a person wants to read it; any other line as it is. */
export function describeLog(line: string, paint: Paint): string {
  const log = parseObject(line);
  if (typeof log?.msg !== "string") return line;
  const { time, service, pid, hostname, request_id, span_id, trace_id, err, ...entry } = log;
  const parts = describeEntry(entry, paint);
  const trace = typeof trace_id === "string" ? [paint("dim", trace_id)] : [];
  return [[...parts, ...trace].join("  "), ...describeError(err as LoggedError | undefined, paint)].join("\n");
}

type Fields = Record<string, unknown>;

function describeEntry({ level, msg, ...fields }: Fields, paint: Paint): string[] {
  if (typeof fields.status_code === "number") return describeRequest(fields.status_code, fields, paint);
  const message = paint(levelStyle(`${level}`), `${msg}`);
  if (msg === "cold start") return [message, paint("dim", describePhases(fields))];
  if (msg === "stopped") return [message, ...describeSpans(fields, paint)];
  return [message, ...describePairs(fields, paint)];
}

function describeRequest(status: number, fields: Fields, paint: Paint): string[] {
  const { method, route, status_code, duration_ms: ms, cold, ...others } = fields;
  const request = [method, route, paint(statusStyle(status), `${status}`), duration(Number(ms))].join(" ");
  return [request, ...(cold === true ? [paint("blue", "cold")] : []), ...describePairs(others, paint)];
}

function describeSpans({ spans_exported: exported = 0, spans_dropped: dropped = 0 }: Fields, paint: Paint): string[] {
  if (!exported && !dropped) return [];
  return [paint(dropped ? "yellow" : "dim", `spans ${exported} exported, ${dropped} dropped`)];
}

const describePairs = (fields: Fields, paint: Paint): string[] =>
  Object.entries(fields).map(([key, value]) => paint("dim", `${key}=${show(value)}`));

/** `first_request_ms: 30` reads as `first request 30 ms`. */
function describePhases(fields: Fields): string {
  return Object.entries(fields)
    .map(([key, ms]) => `${key.replace(/_ms$/, "").replaceAll("_", " ")} ${duration(Number(ms))}`)
    .join(" · ");
}

function describeError(error: LoggedError | undefined, paint: Paint): string[] {
  if (!error) return [];
  const lines = (error.stack ?? error.message ?? "").split("\n").map((line) => `  ${line.trim()}`);
  return [...lines.map((line) => paint("red", line)), ...describeError(error.cause, paint)];
}

function statusStyle(status: number): Style {
  if (status >= 500) return "red";
  return status >= 400 ? "yellow" : "green";
}

function levelStyle(level: string): Style {
  if (level === "error" || level === "fatal") return "red";
  return level === "warn" ? "yellow" : "dim";
}

function parseObject(line: string): Fields | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const clock = (time: Date): string => time.toTimeString().slice(0, 8);

/** Milliseconds for people. */
export function duration(ms: number): string {
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  return `${Math.round(ms / 6_000) / 10} min`;
}
