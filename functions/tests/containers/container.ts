import { text } from "node:stream/consumers";
import {
  GenericContainer,
  getContainerRuntimeClient,
  type StartedNetwork,
  StartupCheckStrategy,
  type StartupStatus,
} from "testcontainers";

type RunOptions = {
  network?: StartedNetwork;
  entrypoint?: string[];
  args?: string[];
  env?: Record<string, string>;
};

/** A container as the cluster runs it: no place to write to, no rights beyond those of its user. */
export class HardenedContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.withDroppedCapabilities("ALL").withSecurityOpt("no-new-privileges");
  }
}

class Ended extends StartupCheckStrategy {
  async checkStartupState(engine: Engine, id: string): Promise<StartupStatus> {
    const { State } = await engine.getContainer(id).inspect();
    return State.Status === "exited" ? "SUCCESS" : "PENDING";
  }
}

type Engine = Awaited<ReturnType<typeof engine>>;

/** The engine's own interface. Throws when there is none. */
export async function engine() {
  try {
    return (await getContainerRuntimeClient()).container.dockerode;
  } catch (cause) {
    throw new Error("Cannot run the images: needs a Docker engine (DOCKER_HOST)", { cause });
  }
}

/** Runs an image to its end: the exit code, and the lines it wrote. */
export async function runToEnd(image: string, { network, entrypoint, args = [], env = {} }: RunOptions) {
  const container = new HardenedContainer(image).withCommand(args).withEnvironment(env).withWaitStrategy(new Ended());
  if (network) container.withNetwork(network);
  if (entrypoint) container.withEntrypoint(entrypoint);
  const ended = await container.start();
  const { State } = await (await engine()).getContainer(ended.getId()).inspect();
  const lines = (await text(await ended.logs())).split("\n").filter(Boolean);
  await ended.stop();
  return { code: State.ExitCode, lines };
}
