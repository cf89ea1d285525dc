import { openProxy, type ReverseProxy } from "./proxy.ts";
import type { ShopFunction } from "./shop.ts";
import { type LiveProcess, Slot, type SlotEvent } from "./slot.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface MiniatureOptions {
  /** A caller before those it calls. */
  functions: readonly ShopFunction[];
  command: (name: string) => readonly [program: string, ...args: string[]];
  /** What the environment of every function begins with. */
  env: Environment;
  /** Owner → URL. Requests that come earlier wait for it. */
  databaseUrls: Promise<Readonly<Record<string, string>>>;
  windowMs: number;
  onEvent: (name: string, event: SlotEvent) => void;
}

const bootTimeoutMs = 10_000;
/** Longer than a reply may take. */
const drainTimeoutMs = 30_000;
/** Longer than a function takes to finish its replies, close and flush. */
const killTimeoutMs = 15_000;

export interface Miniature {
  url(name: string): string;
  /** What a function finds in its environment, but for what Knative adds. */
  env(name: string): Environment;
  /** The processes whose metrics can be read; to ask neither wakes nor prolongs. */
  processes(): LiveProcess[];
  /** The sources of these functions have changed. */
  renew(names: readonly string[]): void;
  close(): Promise<void>;
}

/** Knative in miniature: a port for each function, and a process behind it only while somebody asks. Rejects when a port cannot be had. */
export async function openMiniature(options: MiniatureOptions): Promise<Miniature> {
  const { functions, command, windowMs, onEvent } = options;
  const slots = new Map<string, Slot>();
  const proxies = new Map<string, ReverseProxy>();
  let databaseUrls: Readonly<Record<string, string>> = {};
  const ready = options.databaseUrls.then((urls) => {
    databaseUrls = urls;
  });
  ready.catch(() => {}); // whoever waits for it is told; nobody need wait

  function url(name: string): string {
    return `http://127.0.0.1:${proxies.get(name)?.port}`;
  }

  function env(name: string): Environment {
    const { DATABASE_URL: _, OTEL_SERVICE_NAME: __, ...rest } = options.env; // one name for five functions is none
    const { ownsData = false, peers = {} } = functions.find((one) => one.name === name) ?? {};
    const peerUrls = Object.entries(peers).map(([variable, peer]) => [variable, url(peer)]);
    const databaseUrl = ownsData ? { DATABASE_URL: databaseUrls[name] } : {};
    // Peers are on this machine, whatever proxy leads from it to the world.
    const direct = [rest.no_proxy ?? rest.NO_PROXY, "127.0.0.1"].filter(Boolean).join(",");
    const proxy = { no_proxy: direct, NO_PROXY: direct };
    return {
      ...rest,
      ...proxy,
      BUN_CONFIG_MAX_HTTP_REQUESTS: "1024", // with its own 256 one frozen peer would hold up the requests to all others
      HOST: "127.0.0.1",
      ...databaseUrl,
      ...Object.fromEntries(peerUrls),
    };
  }

  async function close(): Promise<void> {
    // A caller's port before those it calls, so that no reply under way is lost.
    for (const proxy of proxies.values()) await proxy.close(drainTimeoutMs);
    await Promise.all([...slots.values()].map((slot) => slot.stop()));
  }

  for (const { name, port } of functions) {
    const slot = new Slot({
      name,
      command: command(name),
      env: () => env(name),
      windowMs,
      bootTimeoutMs,
      drainTimeoutMs,
      killTimeoutMs,
      onEvent: (event) => onEvent(name, event),
    });
    try {
      proxies.set(name, await openProxy({ slot, port, ready }));
      slots.set(name, slot);
    } catch (error) {
      await close();
      throw error;
    }
  }

  const renew = (names: readonly string[]) => {
    for (const name of names) slots.get(name)?.renew();
  };
  const processes = () => [...slots.values()].flatMap((slot) => slot.live);
  return { url, env, processes, renew, close };
}
