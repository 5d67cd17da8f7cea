// linkseal-mka: the key agreement of one port, in a process of its own that outlives the agent. It
// answers one user; the only keys it knows are ICK and KEK.

import { closeSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { dirname } from "node:path";
import { KeyCache } from "#drivers/linux/mka/cache.ts";
import { MkaControlServer, type MkaMemory } from "#drivers/linux/mka/control-server.ts";
import { readMemory, writeMemory } from "#drivers/linux/mka/memory.ts";
import { requestBytesMax, writeReply } from "#drivers/linux/mka/protocol.ts";
import { wipeSnapshot } from "#drivers/linux/mka/snapshot.ts";
import { FrameChannel } from "#drivers/transport/frames.ts";
import { HeldMemory } from "#drivers/transport/memory.ts";
import type { Native } from "#drivers/transport/native.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import { LinksealError } from "#hal/error.ts";
import type { Disk, Log } from "#hal/world.ts";
import type { MkaCommandLine } from "../cli/mka-options.ts";
import { loadAddon } from "../host/addon.ts";
import { mayAsk, usersWhoMayAsk } from "../host/clients.ts";
import { hostClock } from "../host/clock.ts";
import { hostSecret } from "../host/credentials.ts";
import { heldDescriptors } from "../host/descriptors.ts";
import { FsDisk } from "../host/disk.ts";
import { hostEntropy } from "../host/entropy.ts";
import { openFolder } from "../host/folder.ts";
import { serveFrames } from "../host/frame-server.ts";
import { collectGarbage } from "../host/garbage.ts";
import { hostLog } from "../host/log.ts";
import { Manager } from "../host/manager.ts";
import { mkaSocket, mkaState } from "../host/places.ts";
import { Watchdog } from "../runtime/polling/watchdog.ts";

const families = { route: 0, generic: 16 } as const;
const linkGroup = 1;
const memoryName = "mka-memory";
/**
 * The longest round, in milliseconds. A port reads its SecY at least once per second, and the
 * peer's timeout is six seconds.
 */
const roundMsMax = 3_000;

/**
 * Runs until SIGTERM or SIGINT; the SecY stays as it is. Resolves to 1 after a defect, which was
 * logged.
 * @throws LinksealError that says why the service cannot start
 */
export async function runMka(options: MkaCommandLine): Promise<0 | 1> {
  checkName(options.port);
  const stop = new AbortController();
  const native = loadAddon();
  native.refuseDumps();
  const { JOURNAL_STREAM: journalStream, NOTIFY_SOCKET: manager } = process.env;
  const output = { fd: 1, journalStream, native };
  const log = hostLog({ level: options.level, clock: hostClock, ...output });
  const { keyCache } = options;
  const cache = keyCache === undefined ? undefined : await Cache.open(options.port, keyCache, log);
  const keeper = new Keeper(native, manager, log, cache);
  using routes = new NetlinkChannel(native, families.route);
  using generic = new NetlinkChannel(native, families.generic);
  const server = new MkaControlServer({
    port: options.port,
    sockets: { routes, generic },
    openFrames: (port, listener) => new FrameChannel(native, port, listener),
    clock: hostClock,
    entropy: hostEntropy,
    log,
    memory: await keeper.take(),
    ...(keeper.keeps ? { store: (memory) => keeper.store(memory) } : {}),
  });
  // The peer's timeout begins anew with our last frame.
  const leave = (): void => void server.farewell().finally(() => stop.abort());
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, leave);
  const noteChange = (): void => server.noteChange();
  const callbacks = { message: noteChange, resync: noteChange };
  using _monitor = monitor(native, families.route, [linkGroup], callbacks);
  const served = await serveControl(server, options, { native, log, stop });
  log.write("info", "ready", `READY: serves the key agreement of ${options.port}`);
  const service = new Manager(native, log);
  service.ready();
  void collectGarbage(hostClock, stop.signal);
  const watchdog = new Watchdog(roundMsMax);
  const heartbeat = () => [{ name: "key agreement", turns: server.rounds, busy: true }];
  void service.watch(() => watchdog.late(heartbeat(), hostClock.now()), stop.signal);
  const status = await untilItEnds(server, stop.signal, log);
  await served.close();
  log.write("info", "stopped", "stopped; the SecY keeps what it has");
  return status;
}

// Applies the kernel's own rule for names of links; the name is also a file name here.
function checkName(port: string): void {
  if (/^[^/\s]{1,15}$/.test(port) && port !== "." && port !== "..") return;
  throw new LinksealError("usage", `${JSON.stringify(port)} is not a name of a port`, {
    effect: "none",
    where: "linkseal mka",
    next: "ip link",
  });
}

async function untilItEnds(server: MkaControlServer, stop: AbortSignal, log: Log): Promise<0 | 1> {
  try {
    await server.run(stop);
    return 0;
  } catch (error) {
    // The next process reads what the SecY has installed and begins from there.
    log.write("error", "mka.internal", error instanceof Error ? String(error.stack) : "");
    return 1;
  }
}

interface Surroundings {
  readonly native: Native;
  readonly log: Log;
  readonly stop: AbortController;
}

async function serveControl(
  server: MkaControlServer,
  { port, socket, client }: MkaCommandLine,
  { native, log, stop }: Surroundings,
): Promise<{ close(): Promise<void> }> {
  const users = await usersWhoMayAsk(client);
  const path = mkaSocket(port, socket);
  await openFolder(dirname(path), "reachable");
  const served = await serveFrames({
    path,
    requestBytesMax,
    admits: (connection) => mayAsk(native, users, connection, log),
    answer: async (question, gone) => writeReply(await server.answer(question, gone)),
    broken(error) {
      log.write("error", "mka.internal", error instanceof Error ? String(error.stack) : "");
      stop.abort();
    },
  });
  // Other users whom the folder's group lets in are refused by their number.
  if (client !== undefined) await chmod(path, 0o660);
  return served;
}

/** The memory of this service, which the service manager keeps from one process to the next. */
class Keeper {
  readonly #native: Native;
  readonly #manager: string | undefined;
  readonly #log: Log;
  readonly #cache: Cache | undefined;
  #memory: HeldMemory | undefined;

  constructor(native: Native, manager: string | undefined, log: Log, cache: Cache | undefined) {
    this.#native = native;
    this.#manager = manager;
    this.#log = log;
    this.#cache = cache;
  }

  /** True if a later process could read the memory. */
  get keeps(): boolean {
    return this.#manager !== undefined || this.#cache !== undefined;
  }

  /**
   * Returns what an earlier process left, if it can be read; after a boot that is only its keys.
   */
  async take(): Promise<MkaMemory | undefined> {
    for (const descriptor of heldDescriptors(memoryName)) this.#adopt(descriptor);
    try {
      const octets = this.#memory?.read();
      if (octets !== undefined) return readMemory(octets, hostClock.wall());
      return await this.#cache?.read();
    } catch (error) {
      this.#complain("memory-unreadable", "begins without its memory", error);
      return undefined;
    }
  }

  // Uses the first descriptor that is memory of this kind; new memory is made only if there is
  // none.
  #adopt(descriptor: number): void {
    try {
      this.#memory ??= HeldMemory.adopt(this.#native, descriptor);
    } catch (error) {
      this.#complain("memory-unreadable", "a descriptor is not memory of this service", error);
    }
    if (this.#memory?.descriptor !== descriptor) closeSync(descriptor);
  }

  #complain(code: string, text: string, error: unknown): void {
    this.#log.write("warn", code, `${text}: ${error instanceof Error ? error.message : ""}`);
  }

  store(memory: MkaMemory): void {
    try {
      if (this.#manager !== undefined) {
        this.#held(this.#manager).write(writeMemory(memory, hostClock.wall()));
      }
      this.#cache?.write(memory);
    } catch (error) {
      this.#complain("memory-lost", "a successor will know less", error);
    } finally {
      if (memory.snapshot !== undefined) wipeSnapshot(memory.snapshot);
    }
  }

  #held(manager: string): HeldMemory {
    if (this.#memory !== undefined) return this.#memory;
    const memory = HeldMemory.create(this.#native, memoryName);
    try {
      const text = `FDSTORE=1\nFDNAME=${memoryName}`;
      this.#native.notify(manager, text, [memory.descriptor]);
    } catch (error) {
      // The next store tries again: memory without another holder ends with this process.
      closeSync(memory.descriptor);
      throw error;
    }
    this.#memory = memory;
    return memory;
  }
}

const cacheName = "sealed-keys";
const cacheKeyBytes = 32;

/** The file with the keys of a port that survives a boot. */
class Cache {
  readonly #cache: KeyCache;
  readonly #disk: Disk;
  readonly #log: Log;
  #isTroubled = false;

  private constructor(cache: KeyCache, disk: Disk, log: Log) {
    this.#cache = cache;
    this.#disk = disk;
    this.#log = log;
  }

  /**
   * Opens the cache.
   * @throws LinksealError if the key cannot be used, so that no operator relies on a cache that is
   * missing
   */
  static async open(port: string, reference: string, log: Log): Promise<Cache> {
    const key = await hostSecret(reference, cacheKeyBytes);
    const disk = await FsDisk.open(mkaState(port));
    return new Cache(new KeyCache(key, port, hostEntropy), disk, log);
  }

  async read(): Promise<MkaMemory | undefined> {
    const sealed = await this.#disk.read(cacheName);
    const memory = sealed === undefined ? undefined : this.#cache.unseal(sealed);
    if (sealed !== undefined && memory === undefined) {
      const text = "the sealed keys are of another host or port, or damaged: begins without them";
      this.#log.write("warn", "memory-unreadable", text);
    }
    return memory;
  }

  write(memory: MkaMemory): void {
    const sealed = this.#cache.seal(memory);
    if (sealed === undefined) return;
    void this.#disk.replace(cacheName, sealed).then(
      () => {
        this.#isTroubled = false;
      },
      (error: unknown) => {
        // The next state to store tries again.
        this.#cache.unwritten();
        const why = error instanceof Error ? error.message : "";
        if (!this.#isTroubled)
          this.#log.write("warn", "memory-lost", `a boot will find the former keys: ${why}`);
        this.#isTroubled = true;
      },
    );
  }
}
