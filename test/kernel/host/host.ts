// This host as an agent sees it: the desk of linkseal-net in the edge's network, FRR, ping, and the
// driver on top, with a clock that the test sets the pace of.

import { readFileSync } from "node:fs";
import { fillCommand } from "#drivers/index.ts";
import { linux } from "#drivers/linux/linux.ts";
import { NetDesk } from "#drivers/linux/net/desk.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import { runProgram } from "#drivers/transport/exec.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { Device } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Clock, type Dialer, type Disk, noChannels, type World } from "#hal/world.ts";
import { enterNetwork, native, netlinkFamilies } from "../lab.ts";
import { MemoryDisk } from "./memory-disk.ts";

export type HostTrouble = "replyLost" | "unreachable" | "unparsed";

export interface HostOptions {
  readonly network: string;
  readonly clock: Clock;
  /** FRR's instance; absent = a host without FRR and without ping. */
  readonly pathspace?: string;
}

/** One linkseal-net, and as many sessions with it as somebody opens. */
export class Host implements AsyncDisposable {
  readonly troubles = new Set<HostTrouble>();
  readonly said: string[] = [];
  exchanges = 0;
  readonly #options: HostOptions;
  readonly #desk: NetDesk;
  readonly #disk: MemoryDisk;
  readonly #sockets: DisposableStack;

  private constructor(
    options: HostOptions,
    desk: NetDesk,
    disk: MemoryDisk,
    sockets: DisposableStack,
  ) {
    this.#options = options;
    this.#desk = desk;
    this.#disk = disk;
    this.#sockets = sockets;
  }

  static async open(options: HostOptions): Promise<Host> {
    enterNetwork(options.network);
    const sockets = new DisposableStack();
    const routes = sockets.use(new NetlinkChannel(native, netlinkFamilies.route));
    const generic = sockets.use(new NetlinkChannel(native, netlinkFamilies.generic));
    const xfrm = sockets.use(new NetlinkChannel(native, netlinkFamilies.xfrm));
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const disk = new MemoryDisk();
    const world = worldOf(options.clock, disk);
    const desk = await NetDesk.open({ world, bootId, sockets: { routes, generic, xfrm } });
    const note = (): void => desk.noteChange();
    sockets.use(monitor(native, netlinkFamilies.route, [1, 5, 9], { message: note, resync: note }));
    return new Host(options, desk, disk, sockets);
  }

  async device(hint: () => void = () => undefined): Promise<Device> {
    const { clock, pathspace } = this.#options;
    const world = { ...worldOf(clock, new MemoryDisk()), dial: this.#dial() };
    const target = { device: "edge", address: "unix:/nowhere" };
    const { signal } = new AbortController();
    const more = pathspace === undefined ? {} : { pathspace };
    return await linux.open({ ...target, ...more }, world, hint, signal);
  }

  /** By what it wrote down for a successor. */
  pending(): boolean {
    const octets = this.#disk.files.get("net-state");
    if (octets === undefined) return false;
    return "pending" in (JSON.parse(new TextDecoder().decode(octets)) as object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#desk.close();
    this.#sockets.dispose();
  }

  #dial(): Dialer {
    const refused = (): never => {
      throw new Error("not of this host");
    };
    return {
      http: async (request, signal) => {
        signal.throwIfAborted();
        const { method, path, body = [] } = request;
        // A hint is asked for all the time, whatever else goes on.
        const counts = !path.endsWith("/changes");
        if (counts) this.exchanges += 1;
        if (this.troubles.has("unreachable")) throw failed("transport.unreachable", "none");
        const text = new TextDecoder().decode(fillCommand(body));
        const reply = await answerNet(this.#desk, { method, path, body: text }, signal);
        if (counts) this.said.push(reply.body);
        const octets = Buffer.from(this.troubles.has("unparsed") ? "{]" : reply.body);
        const writes = /\/(apply|confirm|rollback)$/.test(path);
        if (writes && this.troubles.has("replyLost")) throw failed("transport.closed", "unknown");
        return { status: reply.status, headers: {}, body: octets };
      },
      channel: noChannels,
      exec: async (argv, stdin, signal) => {
        const program = argv[0] ?? "";
        if (this.#options.pathspace === undefined && /^(vtysh|ping)$/.test(program)) {
          throw failed("transport.unreachable", "none");
        }
        this.exchanges += 1;
        const inside = ["ip", "netns", "exec", this.#options.network, ...argv];
        return await runProgram(inside, stdin, signal);
      },
      resolve: refused,
      routeTo: refused,
    };
  }
}

function failed(code: "transport.unreachable" | "transport.closed", effect: "none" | "unknown") {
  const text = "there is no answer";
  return new LinksealError(code, text, { effect, where: "edge", next: "linkseal status" });
}

function worldOf(clock: Clock, disk: Disk): Omit<World, "dial"> {
  return {
    clock,
    disk,
    entropy: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
    log: { write: () => undefined },
  };
}
