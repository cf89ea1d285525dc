import { peerUrl, port, requestTimeoutMs } from "@shop/platform/config";

export const config = {
  PORT: port(8080),
  /** A second above the gateway's own, so that its answer always arrives first. */
  REQUEST_TIMEOUT_MS: requestTimeoutMs(11_000),
  GATEWAY_URL: peerUrl,
};
