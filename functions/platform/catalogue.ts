/** How a metric is declared: its instrument can be had by its name only (`createMetrics`). */
type Metric = {
  type: "counter" | "gauge" | "histogram" | "summary";
  help: string;
  /** The suffix of the name that says in what it is measured (OpenMetrics 1.0 §4.2). */
  unit?: "seconds";
  /** Besides `service`, which every metric has. */
  labels: readonly string[];
  /** Which functions show it; all, when left out. */
  functions?: readonly string[];
};

/** Upper bounds of every duration, in seconds: from half a millisecond to the longest a request may take, and beyond. */
export const durationBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Every metric of the functions. */
export const metrics = {
  http_requests_total: {
    type: "counter",
    help: "Requests answered; probes and scrapes are not counted.",
    labels: ["method", "route", "status_code"],
  },
  http_request_duration_seconds: {
    type: "histogram",
    help: "From a request's arrival to the head of its reply; cold when this function or one that it asked had to wake up.",
    unit: "seconds",
    labels: ["method", "route", "status_code", "cold"],
  },
  http_request_summary_seconds: {
    type: "summary",
    help: "Quantiles of the same duration over the last minute of this process; 0 when there were none. They cannot be summed over processes.",
    unit: "seconds",
    labels: ["method", "route"],
    functions: ["gateway"],
  },
  http_client_request_duration_seconds: {
    type: "histogram",
    help: "From a request to a peer to the end of its answer (forwarded ones: to its head), each attempt; error_type when no usable answer came.",
    unit: "seconds",
    labels: ["peer", "method", "status_code", "error_type"],
    functions: ["frontend", "gateway", "orders"],
  },
  orders_total: {
    type: "counter",
    help: "Orders that this process settled, by their final status; the ledger of all orders, also those that maintenance settled, is in the database.",
    labels: ["status"],
    functions: ["orders"],
  },
  orders_value_total: {
    type: "counter",
    help: "Sum of the confirmed among them, in minor units of the currency.",
    labels: ["currency"],
    functions: ["orders"],
  },
  inventory_stock_level: {
    type: "gauge",
    help: "Available units per item, as this process last saw them.",
    labels: ["item"],
    functions: ["inventory"],
  },
  users_registered: {
    type: "gauge",
    help: "Users, as this process last counted them.",
    labels: [],
    functions: ["users"],
  },
  function_boots_total: {
    type: "counter",
    help: "Starts of a process: 1, once it listens.",
    labels: [],
  },
  function_cold_start_seconds: {
    type: "gauge",
    help: "How long each phase of this process's start took; their sum leads from its start to its first reply.",
    unit: "seconds",
    labels: ["phase"],
  },
  telemetry_spans_total: {
    type: "counter",
    help: "Sampled spans by what became of them: exported, or dropped (queue_full, export_failed: not acknowledged, shutdown).",
    labels: ["outcome"],
  },
} as const satisfies Record<string, Metric>;

/** Every attribute a span can have (OpenTelemetry semantic conventions 1.45, where they name one). */
export const spanAttributes = {
  "http.request.method": "the method, `_OTHER` for one that HTTP does not know",
  "http.request.resend_count": "which repetition of a request this is; absent on the first",
  "http.response.status_code": "the status of the reply",
  "http.route": "the template of the route, absent when none matched",
  "url.scheme": "http or https",
  "url.path": "the path, without the query; absent when no route matched, or a part of it was not found to fit",
  "url.full": "the URL asked for, without the query; of a request that was forwarded only the peer's",
  "server.address": "the host asked",
  "server.port": "the port asked",
  "server.service.name": "the function asked",
  "error.type": "what went wrong: a problem's code, a status, an SQLSTATE, or an error's class",
  "db.system.name": "postgresql",
  "db.namespace": "the database",
  "db.operation.name": "the SQL command",
  "db.query.summary": "the SQL command and its table",
  "db.query.text": "the statement, with placeholders for its values",
  "db.response.status_code": "the SQLSTATE of a statement that failed",
  "faas.trigger": "http",
  "faas.coldstart": "whether the request came before this process's first reply",
} as const;

/** Every attribute of the process that speaks, besides those of `OTEL_RESOURCE_ATTRIBUTES`. */
export const resourceAttributes = {
  "service.name": "the function, or what `OTEL_SERVICE_NAME` says",
  "service.instance.id": "the process, a random UUID",
  "faas.name": "the function",
  "faas.version": "the revision, as Knative names it",
  "faas.instance": "the process again",
  "telemetry.sdk.language": "nodejs",
  "telemetry.sdk.name": "opentelemetry",
  "telemetry.sdk.version": "the SDK's",
} as const;

/** Every form the name of a span can have. */
export const spanNames = {
  "{method} {route}": "a request received (the method alone when no route matched, `HTTP` for an unknown one)",
  "{method}": "a request to a peer, one span an attempt",
  connect: "the wait for a connection to the database, when none was free",
  "{command} {table}": "a statement",
  "boot {phase}": "a phase of the start, below the first request: modules, config, listen, idle",
  settle: "one step of maintenance",
} as const;

/** Every field a line of the log can have. */
export const logFields = {
  level: "trace, debug, info, warn, error or fatal",
  time: "when, RFC 3339 in UTC",
  service: "the function",
  msg: "what happened",
  trace_id: "the trace of the request",
  span_id: "the span of this function in it",
  request_id: "the request, the same in every function it passes",
  method: "the method, `_OTHER` for one that HTTP does not know",
  route: "the template of the route, `unmatched` when none matched",
  status_code: "the status of the reply",
  duration_ms: "from the request's arrival to the head of its reply, in milliseconds",
  cold: "true when this function or one that it asked had to wake up",
  err: "type, message, code, stack and cause of an error",
  order_id: "the order",
  settled: "how many orders a run of maintenance settled",
  failed: "how many it could not settle",
  host: "the address listened on",
  port: "the port listened on",
  runtime: "bun or deno",
  modules_ms: "from the start of the process until its modules were loaded",
  config_ms: "until its configuration was read",
  listen_ms: "until it listened",
  idle_ms: "until its first request came",
  first_request_ms: "until its first reply",
  spans_exported: "spans the collector has acknowledged, over the life of the process",
  spans_dropped: "spans it has not",
} as const;

/** The name of a metric. */
export type MetricName = keyof typeof metrics;
/** The name of a span's attribute. */
export type SpanAttribute = keyof typeof spanAttributes;
/** The name of a field of the log. */
export type LogField = keyof typeof logFields;

/** The attributes of a span. */
export type Attributes = Partial<Record<SpanAttribute, string | number | boolean>>;
