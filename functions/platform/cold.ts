import { roundMs } from "./boot.ts";
import type { Call } from "./call.ts";
import type { Telemetry } from "./telemetry.ts";

/** The header that says how long a reply took to make, and why (W3C Server Timing). */
export const serverTimingHeader = "Server-Timing";

const entryPattern = /^cold;dur=\d{1,9}(?:\.\d{1,3})?;(desc="[a-z0-9-]{1,63}")$/;
const entriesMax = 16;

/** That this function had to wake up, and how many milliseconds that took. */
export function coldEntry({ service, boot }: Pick<Telemetry, "service" | "boot">): string {
  return `cold;dur=${roundMs(boot.wakeMs)};desc="${service}"`;
}

/** Notes which functions a peer's answer had to wake, each once. */
export function noteCold(call: Call, headers: Headers): void {
  for (const text of headers.get(serverTimingHeader)?.split(",") ?? []) {
    const [entry, name] = entryPattern.exec(text.trim()) ?? [];
    if (!entry || !name || call.cold.length >= entriesMax) continue;
    if (!call.cold.some((known) => known.endsWith(name))) call.cold.push(entry);
  }
}
