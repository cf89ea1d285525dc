// Globals that k6 has and @types/k6 lacks (k6 docs: javascript-api/crypto, using-k6/http-debugging).
declare const crypto: { randomUUID(): string; getRandomValues(bytes: Uint8Array): unknown };
declare const console: { log(...values: unknown[]): void; error(...values: unknown[]): void };
