import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PbfReader, PbfWriter } from "pbf";

export type SinkSpan = {
  service: string;
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  name: string;
  /** OTLP's number: 1 internal, 2 server, 3 client. */
  kind: number;
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  /** 2 is an error. */
  status: number;
  resource: Record<string, unknown>;
};

/**
 * How a collector can behave. `ok` and `slow` take everything, `partial` all but one span of each batch; `hang` never answers, `garbage` answers no HTTP, `dribble` a
 * 200 without an end, `cut` one that breaks off, `html` a page of something else; a number is the status of a refusal.
 */
export type Behaviour = "ok" | "slow" | "hang" | "garbage" | "dribble" | "cut" | "html" | "partial" | number;

export type Sink = AsyncDisposable & {
  url: string;
  /** What it has acknowledged. */
  spans: SinkSpan[];
  /** Every body as it came, acknowledged or not. */
  bodies: Buffer[];
  behaviour: Behaviour;
  /** Refuses connections, until `listen`. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
};

const slowMs = 300;

/** A collector of our own: takes OTLP/HTTP protobuf, and can misbehave. The real one is in the stack suite. */
export async function openSink(behaviour: Behaviour = "ok"): Promise<Sink> {
  const server = createServer(async (request, reply) => {
    const body = await readBody(request).catch(() => undefined);
    if (!body) return;
    sink.bodies.push(body);
    await behave(sink, body, reply);
  });
  const listen = async (port: number) => {
    if (!server.listening) await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  };
  const refuse = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const sink: Sink = {
    url: `http://127.0.0.1:${port}`,
    spans: [],
    bodies: [],
    behaviour,
    refuse,
    listen: () => listen(port),
    [Symbol.asyncDispose]: refuse,
  };
  return sink;
}

async function behave(sink: Sink, body: Buffer, reply: ServerResponse): Promise<void> {
  const { behaviour } = sink;
  const accept = (rejected = 0) => {
    if (reply.destroyed) return; // nobody waits any more: not acknowledged
    for (const span of decodeSpans(body).slice(rejected)) sink.spans.push(span);
    reply.writeHead(200, { "Content-Type": "application/x-protobuf" }).end(encodeAnswer(rejected));
  };
  if (behaviour === "ok") accept();
  else if (behaviour === "slow") setTimeout(accept, slowMs);
  else if (behaviour === "partial") accept(1);
  else if (behaviour === "html") reply.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
  else if (behaviour === "cut") {
    reply.writeHead(200, { "Content-Length": 100 });
    reply.write("x", () => reply.destroy());
  } else if (behaviour === "garbage") reply.socket?.end("\x00\xff nonsense, not HTTP\r\n\r\n");
  else if (behaviour === "dribble") {
    reply.writeHead(200);
    const drip = () => {
      if (reply.destroyed) return;
      reply.write("x");
      setTimeout(drip, 50);
    };
    drip();
  } else if (typeof behaviour === "number") reply.writeHead(behaviour).end("no");
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Writes an `ExportTraceServiceResponse`; what rejects nothing is empty. */
function encodeAnswer(rejected: number): Uint8Array {
  const pbf = new PbfWriter();
  if (rejected > 0)
    pbf.writeMessage(1, (count: number, writer: PbfWriter) => writer.writeVarintField(1, count), rejected);
  return pbf.finish();
}

/** Reads an `ExportTraceServiceRequest` (opentelemetry-proto 1.9, trace/v1). */
export function decodeSpans(body: Uint8Array): SinkSpan[] {
  const spans: SinkSpan[] = [];
  fields(new PbfReader(body), { 1: (pbf) => spans.push(...readResourceSpans(pbf)) });
  return spans;
}

type Readers = Record<number, (pbf: PbfReader) => void>;

/** Reads one message; a field without a reader is skipped. */
function fields(pbf: PbfReader, readers: Readers, end?: number): void {
  pbf.readFields((tag) => readers[tag]?.(pbf), undefined, end);
}

/** Reads a message within a message. */
function message(pbf: PbfReader, readers: Readers): void {
  const end = pbf.readVarint() + pbf.pos;
  fields(pbf, readers, end);
}

function readResourceSpans(pbf: PbfReader): SinkSpan[] {
  const resource: Record<string, unknown> = {};
  const spans: SinkSpan[] = [];
  message(pbf, {
    1: () => message(pbf, { 1: () => readAttribute(pbf, resource) }),
    2: () => message(pbf, { 2: () => spans.push(readSpan(pbf)) }),
  });
  return spans.map((span) => ({ ...span, resource, service: `${resource["service.name"]}` }));
}

function readSpan(pbf: PbfReader): SinkSpan {
  const span: SinkSpan = {
    service: "",
    traceId: "",
    spanId: "",
    parentSpanId: "",
    name: "",
    kind: 0,
    startMs: 0,
    endMs: 0,
    attributes: {},
    status: 0,
    resource: {},
  };
  message(pbf, {
    1: () => {
      span.traceId = hex(pbf);
    },
    2: () => {
      span.spanId = hex(pbf);
    },
    4: () => {
      span.parentSpanId = hex(pbf);
    },
    5: () => {
      span.name = pbf.readString();
    },
    6: () => {
      span.kind = pbf.readVarint();
    },
    7: () => {
      span.startMs = pbf.readFixed64() / 1e6;
    },
    8: () => {
      span.endMs = pbf.readFixed64() / 1e6;
    },
    9: () => readAttribute(pbf, span.attributes),
    15: () =>
      message(pbf, {
        3: () => {
          span.status = pbf.readVarint();
        },
      }),
  });
  return span;
}

function readAttribute(pbf: PbfReader, into: Record<string, unknown>): void {
  let key = "";
  let value: unknown;
  const set = (one: unknown) => {
    value = one;
  };
  message(pbf, {
    1: () => {
      key = pbf.readString();
    },
    2: () =>
      message(pbf, {
        1: () => set(pbf.readString()),
        2: () => set(pbf.readBoolean()),
        3: () => set(pbf.readVarint(true)),
        4: () => set(pbf.readDouble()),
      }),
  });
  into[key] = value;
}

const hex = (pbf: PbfReader): string => Buffer.from(pbf.readBytes()).toString("hex");
