// This host as an agent sees it: the control servers of linkseal-net and of the MKA processes in
// the edge's network, FRR, ping, and the driver on top, with a clock whose pace the test sets.

import { readFileSync } from "node:fs";
import { fillCommand } from "#drivers/index.ts";
import { linux } from "#drivers/linux/driver/linux.ts";
import { forget as forgetTunnel, withCharon } from "#drivers/linux/ipsec/charon.ts";
import type { KernelSockets } from "#drivers/linux/macsec/kernel-observation.ts";
import { MkaControlServer } from "#drivers/linux/mka/control-server.ts";
import { readRequest, writeReply } from "#drivers/linux/mka/protocol.ts";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import { runProgram } from "#drivers/transport/exec.ts";
import { FrameChannel } from "#drivers/transport/frames.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import { openStream } from "#drivers/transport/stream.ts";
import type { Device } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Ckn, MacsecSettings, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import {
  type Clock,
  type Dialer,
  type Disk,
  type FramedRequest,
  noChannels,
  noSnmp,
  type World,
} from "#hal/world.ts";
import { channelsTo } from "../../lab/peer-pipe.ts";
import { enterNetwork, native, netlinkFamilies } from "../lab.ts";
import { MemoryDisk } from "./memory-disk.ts";

export type HostTrouble = "replyLost" | "unreachable" | "unparsed";

export interface HostOptions {
  readonly network: string;
  readonly clock: Clock;
  /** Each port has an MKA process. */
  readonly ports: readonly PortName[];
  /** FRR's instance; absent = a host without FRR and without ping. */
  readonly pathspace?: string;
  /** Path of charon's socket; absent = a host without tunnels. */
  readonly charon?: string;
  /** `peer`: the agent is on another host, and has `linkseal peer` on this one. */
  readonly reach?: "here" | "peer";
}

/** The state that an MKA process would leave its successor. */
interface Agreement {
  readonly server: MkaControlServer;
  keys: readonly { readonly ckn: Ckn; readonly ick: Secret }[];
  settings: Pick<MacsecSettings, "keyServerPriority" | "sakRekeyMs">;
}

/** One linkseal-net, with as many sessions as the tests open. */
export class Host implements AsyncDisposable {
  readonly troubles = new Set<HostTrouble>();
  readonly output: string[] = [];
  exchanges = 0;
  readonly #options: HostOptions;
  readonly #server: NetControlServer;
  readonly #disk: MemoryDisk;
  readonly #sockets: DisposableStack;
  readonly #agreements = new Map<PortName, Agreement>();
  readonly #over = new AbortController();
  readonly #running: Promise<void>[] = [];

  private constructor(
    options: HostOptions,
    server: NetControlServer,
    disk: MemoryDisk,
    sockets: DisposableStack,
  ) {
    this.#options = options;
    this.#server = server;
    this.#disk = disk;
    this.#sockets = sockets;
  }

  #agree(port: PortName, sockets: KernelSockets): void {
    const { clock, network } = this.#options;
    const server = new MkaControlServer({
      ...{ port, sockets, clock, memory: undefined },
      openFrames: (index, listener) => {
        enterNetwork(network);
        return new FrameChannel(native, index, listener);
      },
      entropy: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
      log: { write: (level, code, text) => void this.output.push(`${level} ${code} ${text}`) },
      store: ({ settings, snapshot }) => {
        for (const { ick } of agreement.keys) ick[Symbol.dispose]();
        const { keyServerPriority, sakRekeyMs } = settings;
        agreement.settings = { keyServerPriority, sakRekeyMs };
        agreement.keys = snapshot?.actors.map(({ ckn, ick }) => ({ ckn, ick })) ?? [];
        for (const { kek } of snapshot?.actors ?? []) kek[Symbol.dispose]();
      },
    });
    const settings = { keyServerPriority: 16, sakRekeyMs: undefined };
    const agreement: Agreement = { server, keys: [], settings };
    this.#agreements.set(port, agreement);
    this.#running.push(
      server
        .run(this.#over.signal)
        .catch((error: unknown) => console.error("an MKA process", error)),
    );
  }

  agreementOf(port: PortName): Omit<Agreement, "server"> | undefined {
    return this.#agreements.get(port);
  }

  static async open(options: HostOptions): Promise<Host> {
    enterNetwork(options.network);
    const sockets = new DisposableStack();
    const routes = sockets.use(new NetlinkChannel(native, netlinkFamilies.route));
    const generic = sockets.use(new NetlinkChannel(native, netlinkFamilies.generic));
    const xfrm = sockets.use(new NetlinkChannel(native, netlinkFamilies.xfrm));
    const filter = sockets.use(new NetlinkChannel(native, netlinkFamilies.filter));
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const disk = new MemoryDisk();
    const world = worldOf(options.clock, disk);
    const { charon: path, clock } = options;
    const charon = path === undefined ? undefined : { path, stream: openStream, clock };
    const forget = async (tunnel: string, signal: AbortSignal): Promise<void> => {
      if (charon === undefined) return;
      await withCharon(charon, signal, (client) => forgetTunnel(client, tunnel, signal));
    };
    const parts = { world, bootId, sockets: { routes, generic, xfrm, filter }, forget };
    const server = await NetControlServer.open(parts);
    const note = (): void => server.noteChange();
    const host = new Host(options, server, disk, sockets);
    for (const port of options.ports) host.#agree(port, { routes, generic });
    const noteChange = (): void => {
      note();
      for (const { server: agreement } of host.#agreements.values()) agreement.noteChange();
    };
    sockets.use(
      monitor(native, netlinkFamilies.route, [1, 5, 9], {
        message: noteChange,
        resync: noteChange,
      }),
    );
    return host;
  }

  async device(noteChange: () => void = () => undefined): Promise<Device> {
    const { clock, pathspace, charon } = this.#options;
    const dial = this.#dial();
    const isPeer = this.#options.reach === "peer";
    const world = {
      ...worldOf(clock, new MemoryDisk()),
      dial: isPeer ? beyond(dial, charon) : dial,
    };
    const address = isPeer ? "ssh://edge-b" : "unix:/nowhere/net.sock";
    const target = { device: "edge", address };
    const { signal } = new AbortController();
    const more = {
      ...(pathspace === undefined ? {} : { pathspace }),
      ...(charon === undefined ? {} : { charon }),
    };
    return await linux.open({ ...target, ...more }, world, noteChange, signal);
  }

  /** Tells whether a change is pending, by the state that is stored for a successor. */
  pending(): boolean {
    const octets = this.#disk.files.get("net-state");
    if (octets === undefined) return false;
    return "pending" in (JSON.parse(new TextDecoder().decode(octets)) as object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#running);
    this.#server.close();
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
        // Change notifications are requested all the time, so they do not count.
        const counts = !path.endsWith("/changes");
        if (counts) this.exchanges += 1;
        if (this.troubles.has("unreachable")) throw failed("transport.unreachable", "none");
        const text = new TextDecoder().decode(fillCommand(body));
        const reply = await answerNet(this.#server, { method, path, body: text }, signal);
        if (counts) this.output.push(reply.body);
        const octets = Buffer.from(this.troubles.has("unparsed") ? "{]" : reply.body);
        const writes = /\/(apply|confirm|rollback)$/.test(path);
        if (writes && this.troubles.has("replyLost")) throw failed("transport.closed", "unknown");
        return { status: reply.status, headers: {}, body: octets };
      },
      channel: noChannels,
      snmp: noSnmp,
      exec: async (argv, stdin, signal) => {
        const program = argv[0] ?? "";
        if (this.#options.pathspace === undefined && /^(vtysh|ping)$/.test(program)) {
          throw failed("transport.unreachable", "none");
        }
        this.exchanges += 1;
        const inside = ["ip", "netns", "exec", this.#options.network, ...argv];
        return await runProgram(inside, stdin, signal);
      },
      framed: (question, signal) => this.#framed(question, signal),
      stream: openStream,
      resolve: refused,
      routeTo: refused,
    };
  }

  async #framed({ path, octets }: FramedRequest, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    const port = /^\/nowhere\/mka\/(.+)\.sock$/.exec(path)?.[1] ?? "";
    const server = this.#agreements.get(port)?.server;
    const question = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
    fillOctets(octets, question);
    const verb = readRequest(question.slice());
    if ("operation" in verb && "key" in verb.operation) verb.operation.key[Symbol.dispose]();
    const counts = verb.kind !== "changes";
    if (counts) this.exchanges += 1;
    if (server === undefined || this.troubles.has("unreachable")) {
      throw failed("transport.unreachable", "none");
    }
    const reply = await server.answer(question, signal);
    if (counts) this.output.push(reply.body);
    const writes = /^(apply|confirm|rollback)$/.test(verb.kind);
    if (writes && this.troubles.has("replyLost")) throw failed("transport.closed", "unknown");
    return writeReply(this.troubles.has("unparsed") ? { kind: "done", body: "{]" } : reply);
  }
}

/** The dialer of an agent on another host: all of this host is behind `linkseal peer`. */
function beyond(dial: Dialer, charon: string | undefined): Dialer {
  const refused = (): never => {
    throw new Error("of the agent's own host");
  };
  const none = { http: refused, exec: refused, framed: refused, stream: refused };
  return {
    ...dial,
    ...none,
    channel: channelsTo({ dial, ...(charon === undefined ? {} : { charon }) }).open,
  };
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
