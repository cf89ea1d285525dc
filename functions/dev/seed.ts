import { parseArgs } from "node:util";
import { provision, seed } from "./database.ts";
import { openServer } from "./server.ts";

try {
  const { values } = parseArgs({ options: { stock: { type: "string", multiple: true, default: [] } } });
  const stock = Object.fromEntries(values.stock.map(parseStock));
  const server = await openServer({ env: process.env, share: true });
  try {
    await seed(await provision(server.adminUrl), { stock });
    console.log(["seeded", ...Object.entries(stock).map(([item, units]) => `${item}=${units}`)].join(" "));
  } finally {
    await server.close();
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

function parseStock(text: string): [string, number] {
  const [, item = "", units = ""] = /^([a-z0-9-]+)=(\d{1,12})$/.exec(text) ?? [];
  if (item === "")
    throw new Error(`Cannot read the stock "${text}": should be an item and a number, such as item1=100000`);
  return [item, Number(units)];
}
