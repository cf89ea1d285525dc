import { connections, databaseUrl, peerUrl, port } from "@shop/platform/config";

export const config = {
  PORT: port(3001),
  DATABASE_URL: databaseUrl,
  DATABASE_CONNECTIONS_MAX: connections(5),
  INVENTORY_SERVICE_URL: peerUrl,
};
