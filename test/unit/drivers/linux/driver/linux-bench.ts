// A Linux host as its driver uses it: linkseal-net behind a socket, FRR and ping, all simulated.

import { fillCommand } from "#drivers/index.ts";
import { linux } from "#drivers/linux/driver/linux.ts";
import {
  type MkaReply,
  type MkaRequest,
  readRequest,
  writeReply,
} from "#drivers/linux/mka/protocol.ts";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import type { Device, KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type Dialer,
  type ExecReply,
  type FramedRequest,
  type HttpRequest,
  noChannels,
  noSnmp,
  noStreams,
  type World,
} from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { channelsTo } from "../../../../lab/peer-pipe.ts";
import { PretendSocket, recordedSite } from "../../../kit/netlink-kit.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { PretendFrr, reply } from "../frr-kit.ts";

export const keys: KeyResolver = () => Promise.reject(new Error("no key is asked for here"));

const unreachable = (where: string): LinksealError =>
  new LinksealError("transport.unreachable", `${where} is not there`, {
    effect: "none",
    where,
    next: "look",
  });

interface Programs {
  readonly vtysh?: boolean;
  readonly ping?: boolean;
}

/** Whether the agent runs on the host, or on another and has `linkseal peer` there. */
export const reaches = ["here", "peer"] as const;

export class LinuxBench {
  /** Whether the agent runs on the host, or on another and has `linkseal peer` there. */
  static reach: (typeof reaches)[number] = "here";
  readonly clock: SimClock;
  readonly kernel: PretendSocket;
  readonly frr = new PretendFrr(["vtysh"]);
  /** Everything that is asked and sent, in order. */
  readonly calls: string[] = [];
  /** The requests that linkseal-net received. */
  readonly bodies: string[] = [];
  readonly notifications: number[] = [];
  pingReply: ExecReply = reply(0, "5 packets transmitted, 4 received, 20% packet loss");
  /** True while nothing answers behind the socket. */
  away = false;
  subnets: readonly object[] = [
    { port: "a0", link: "ms0", prefix: "192.0.2.1/30" },
    { port: "b0", link: "b0", prefix: "192.0.2.5/30" },
  ];
  /** The answers of the MKA processes, by port; absent = no process answers. */
  readonly agreements = new Map<string, (request: MkaRequest) => MkaReply | Promise<MkaReply>>();
  server: NetControlServer;
  readonly world: World;
  readonly #programs: Programs;

  private constructor(
    programs: Programs,
    server: NetControlServer,
    clock: SimClock,
    kernel: PretendSocket,
  ) {
    this.#programs = programs;
    this.server = server;
    this.clock = clock;
    this.kernel = kernel;
    this.world = { ...worldOf(clock), dial: this.#dialer() };
  }

  static async make(programs: Programs = { vtysh: true, ping: true }): Promise<LinuxBench> {
    const clock = new SimClock(wallStart);
    const kernel = recordedSite();
    return new LinuxBench(programs, await openServer(clock, kernel), clock, kernel);
  }

  /** Restarts linkseal-net on the same kernel, with an empty disk. */
  async restartServer(): Promise<void> {
    this.server.close();
    this.server = await openServer(this.clock, this.kernel);
  }

  open(pathspace?: string): Promise<Device> {
    const isPeer = LinuxBench.reach === "peer";
    const address = isPeer ? "ssh://192.0.2.99" : "unix:/run/net.sock";
    const target = { device: "edge", address };
    const onChange = (): void => {
      this.notifications.push(this.clock.now());
    };
    const whole = pathspace === undefined ? target : { ...target, pathspace };
    return settled(
      this.clock,
      linux.open(whole, isPeer ? this.#beyond() : this.world, onChange, never),
    );
  }

  /** The world of an agent on another host: nothing of this one is its own. */
  #beyond(): World {
    const { dial } = this.world;
    const places = { net: "/run/net.sock", mka: "/run/mka", from: "192.0.2.5" };
    const { open } = channelsTo({ dial, ...places });
    const refused = (): never => {
      throw new Error("of the agent's own host");
    };
    const none = { http: refused, exec: refused, framed: refused, stream: refused };
    return { ...this.world, dial: { ...dial, ...none, channel: open } };
  }

  #dialer(): Dialer {
    return {
      http: (request, signal) => this.#http(request, signal),
      routeTo: async () => undefined,
      resolve: async () => [],
      exec: (argv, stdin, signal) => this.#exec(argv, stdin, signal),
      framed: (question) => this.#framed(question),
      stream: noStreams,
      channel: noChannels,
      snmp: noSnmp,
    };
  }

  async #framed({ path, octets }: FramedRequest): Promise<Uint8Array> {
    const port = /^\/run\/mka\/(.+)\.sock$/.exec(path)?.[1] ?? "";
    const bytes = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
    fillOctets(octets, bytes);
    const request = readRequest(bytes);
    const operation = request.kind === "stage" ? ` ${request.operation.kind}` : "";
    this.calls.push(`mka ${port} ${request.kind}${operation}`);
    const answer = this.agreements.get(port);
    if (answer === undefined) throw unreachable(path);
    return writeReply(await answer(request));
  }

  async #http({ to, method, path, body }: HttpRequest, signal: AbortSignal) {
    this.calls.push(`${method} ${path}`);
    this.bodies.push(new TextDecoder().decode(fillCommand(body ?? [])));
    if (this.away) throw unreachable(to);
    const text = new TextDecoder().decode(fillCommand(body ?? []));
    const subnets = async (): Promise<readonly object[]> => this.subnets;
    const { server } = this;
    // The links that the control server itself would report, except for the subnets.
    const observed = new Proxy(server, {
      get: (_target, name: keyof NetControlServer) =>
        name === "subnets" ? subnets : (server[name] as () => unknown).bind(server),
    });
    const answer = await answerNet(observed, { method, path, body: text }, signal);
    return { status: answer.status, headers: {}, body: new TextEncoder().encode(answer.body) };
  }

  async #exec(...[argv, stdin, signal]: Parameters<Dialer["exec"]>): Promise<ExecReply> {
    this.calls.push(argv.join(" "));
    const [program = ""] = argv;
    if (program === "vtysh" && this.#programs.vtysh !== true) throw unreachable(program);
    if (program === "ping" && this.#programs.ping !== true) throw unreachable(program);
    if (argv[1] === "--help" || argv[1] === "-V") return reply(0, "usage");
    if (program === "ping") return this.pingReply;
    return await this.frr.exec(argv, stdin, signal);
  }

  /** Returns what was asked and sent since then, without the waits for notifications. */
  since(count: number): readonly string[] {
    return this.calls.slice(count).filter((call) => !/[ /]changes$/.test(call));
  }
}

function worldOf(clock: SimClock): Omit<World, "dial"> {
  const prng = new Prng("linux");
  const disk = new SimDisk({ clock, prng, writeMs: 0 });
  return { clock, disk, entropy: prng, log: { write: () => undefined } };
}

function openServer(clock: SimClock, routes: PretendSocket): Promise<NetControlServer> {
  const generic = new PretendSocket();
  generic.refusal = { name: "ENOENT", text: undefined };
  return NetControlServer.open({
    world: worldOf(clock),
    sockets: { routes, generic, xfrm: new PretendSocket() },
    bootId: "boot-1",
  });
}
