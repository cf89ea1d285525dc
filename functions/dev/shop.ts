/** A function as `bun run dev` runs it. */
export interface ShopFunction {
  name: string;
  port: number;
  /** Whether it owns a database of the same name. */
  ownsData: boolean;
  /** The environment variable that tells it a peer's URL → that peer. */
  peers: Readonly<Record<string, string>>;
}

const functions = [
  { name: "frontend", port: 8080, ownsData: false, peers: { GATEWAY_URL: "gateway" } },
  {
    name: "gateway",
    port: 8000,
    ownsData: false,
    peers: { ORDER_SERVICE_URL: "orders", INVENTORY_SERVICE_URL: "inventory", USER_SERVICE_URL: "users" },
  },
  { name: "orders", port: 3001, ownsData: true, peers: { INVENTORY_SERVICE_URL: "inventory" } },
  { name: "inventory", port: 3002, ownsData: true, peers: {} },
  { name: "users", port: 3003, ownsData: true, peers: {} },
] as const satisfies readonly ShopFunction[];

/** From the edge inwards, which is also the order in which the ports close: a caller before those it calls. */
export const shop: readonly ShopFunction[] = functions;

export type FunctionName = (typeof functions)[number]["name"];
export const functionNames: readonly FunctionName[] = functions.map(({ name }) => name);
