import { durationMs, peerUrl, port } from "@shop/platform/config";

export const config = {
  PORT: port(8080),
  /** A second above the gateway's own, so that its answer always arrives first. */
  REQUEST_TIMEOUT_MS: durationMs(11_000),
  GATEWAY_URL: peerUrl,
};
