import { peerUrl, port, requestTimeoutMs } from "@shop/platform/config";

export const config = {
  PORT: port(8000),
  REQUEST_TIMEOUT_MS: requestTimeoutMs(10_000),
  ORDER_SERVICE_URL: peerUrl,
  INVENTORY_SERVICE_URL: peerUrl,
  USER_SERVICE_URL: peerUrl,
};
