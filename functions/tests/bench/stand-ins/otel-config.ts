/** Reads no variable of OpenTelemetry's. */
export const otelEntries = {};
