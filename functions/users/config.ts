import { connections, databaseUrl, port } from "@shop/platform/config";

export const config = {
  PORT: port(3003),
  DATABASE_URL: databaseUrl,
  DATABASE_CONNECTIONS_MAX: connections(5),
};
