import { Agent } from "node:http";
import { eventually } from "@shop/platform/testing";
import { send } from "../dev/testing.ts";

type Load = {
  url: string;
  method?: "GET" | "POST";
  /** The headers and body of each request; every one has a request id of its own. */
  make?: () => { headers: Record<string, string>; body?: string };
  connections: number;
};

/** Asks over kept-alive connections, on each until one request gets no answer; `sent` and the statuses `answered`, by request id. */
export function startLoad({ url, method = "GET", make = () => ({ headers: {} }), connections }: Load) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const sent = new Set<string>();
  const answered = new Map<string, number>();
  let lastReplyMs = 0;
  let cut = 0;

  async function ask(): Promise<void> {
    for (;;) {
      const id = crypto.randomUUID();
      const { headers, body } = make();
      sent.add(id);
      try {
        const options = { method, headers: { ...headers, "X-Request-Id": id }, agent, ...(body && { body }) };
        answered.set(id, (await send(url, options)).status);
      } catch {
        cut += 1;
        return;
      }
      lastReplyMs = performance.now();
    }
  }

  for (let connection = 0; connection < connections; connection++) void ask();
  return {
    sent,
    answered,
    /** Waits until every connection is cut; when the last reply had come. */
    async untilCut(): Promise<number> {
      await eventually("every connection is cut", () => cut === connections, 20_000);
      agent.destroy();
      return lastReplyMs;
    },
  };
}
