import { type OwnerUrls, provision } from "@shop/dev/database";
import { imageName } from "@shop/dev/images";
import { shop } from "@shop/dev/shop";
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait } from "testcontainers";
import type { FunctionName } from "../shop.ts";
import { HardenedContainer, runToEnd } from "./container.ts";

/** The images under test; `bun run test:containers` has built them. */
export const imageOf = (name: string): string => imageName(name, "test");

/** The whole shop in containers on one network, each function known there by its name. */
export type Stage = {
  network: StartedNetwork;
  urls: Readonly<Record<FunctionName, string>>;
  frontendUrl: string;
  /** The owners' databases, as this process reaches them. */
  databaseUrls: OwnerUrls;
  containers: ReadonlyMap<FunctionName, StartedTestContainer>;
  /** What a function finds in its environment. */
  env(name: string): Record<string, string>;
  /** Runs a function's image with an argument to its end. */
  command(name: string, argument: string): ReturnType<typeof runToEnd>;
  close(): Promise<void>;
};

const port = 8080;
const postgresPort = 5432;

/** Starts PostgreSQL; `prepare` comes before the functions. */
export async function openStage(prepare: (stage: Pick<Stage, "command">) => Promise<void>): Promise<Stage> {
  await using opened = new AsyncDisposableStack();
  const network = await new Network().start();
  opened.defer(async () => void (await network.stop()));
  const postgres = await new GenericContainer("postgres:18")
    .withNetwork(network)
    .withNetworkAliases("postgres")
    .withEnvironment({ POSTGRES_PASSWORD: "throw-away" })
    .withExposedPorts(postgresPort)
    // By TCP: while it sets itself up it listens on its socket only.
    .withHealthCheck({
      test: ["CMD-SHELL", "pg_isready --host localhost"],
      interval: 250,
      timeout: 1_000,
      retries: 240,
    })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  opened.defer(async () => void (await postgres.stop()));
  const adminUrl = `postgres://postgres:throw-away@${postgres.getHost()}:${postgres.getMappedPort(postgresPort)}/postgres`;
  const databaseUrls = await provision(adminUrl);

  function env(name: string): Record<string, string> {
    const { ownsData = false, peers = {} } = shop.find((one) => one.name === name) ?? {};
    const peerUrls = Object.entries(peers).map(([variable, peer]) => [variable, `http://${peer}:${port}`]);
    return {
      ...Object.fromEntries(peerUrls),
      ...(ownsData && { DATABASE_URL: inside(databaseUrls[name as keyof OwnerUrls]) }),
    };
  }
  const command: Stage["command"] = (name, argument) =>
    runToEnd(imageOf(name), { network, args: [argument], env: env(name) });
  await prepare({ command });

  const containers = new Map<FunctionName, StartedTestContainer>();
  for (const { name } of shop) {
    const container = await new HardenedContainer(imageOf(name))
      .withNetwork(network)
      .withNetworkAliases(name)
      .withEnvironment(env(name))
      .withExposedPorts(port)
      .withWaitStrategy(Wait.forHttp("/readyz", port))
      .start();
    opened.defer(async () => void (await container.stop()));
    containers.set(name as FunctionName, container);
  }
  const urls = Object.fromEntries(
    [...containers].map(([name, one]) => [name, `http://${one.getHost()}:${one.getMappedPort(port)}`]),
  ) as Record<FunctionName, string>;

  const owned = opened.move();
  return {
    network,
    urls,
    frontendUrl: urls.frontend,
    databaseUrls,
    containers,
    env,
    command,
    close: () => owned.disposeAsync(),
  };
}

/** A database's URL on the containers' network. */
function inside(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.host = `postgres:${postgresPort}`;
  return url.href;
}
