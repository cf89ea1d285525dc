import { decodeSpans } from "../otlp-sink.ts";

export type CountingSink = {
  url: string;
  /** How many server's spans have come since the last time, of each service; decodes them, which takes a while. */
  take(): Map<string, number>;
  stop(): Promise<void>;
};

const serverKind = 2;

/** A collector that only keeps what comes, so that taking it costs little while something is measured. */
export function openCountingSink(): CountingSink {
  let bodies: Uint8Array[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      bodies.push(await request.bytes());
      return new Response(null, { headers: { "Content-Type": "application/x-protobuf" } });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    take() {
      const counts = new Map<string, number>();
      for (const { service, kind } of bodies.flatMap((body) => decodeSpans(body))) {
        if (kind === serverKind) counts.set(service, (counts.get(service) ?? 0) + 1);
      }
      bodies = [];
      return counts;
    },
    stop: () => server.stop(true),
  };
}
