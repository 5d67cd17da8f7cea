// FRR's shell and ping of a host over a simulated router: one neighbour, whose route maps show the
// drain of the port.

import { isPortName } from "#drivers/linux/peer/allowed.ts";
import type { Device } from "#hal/device.ts";
import { type DrainMeans, type PortName, type Routing, strongValue } from "#hal/model.ts";
import type { ExecReply } from "#hal/world.ts";
import { reply } from "../../unit/drivers/linux/frr-kit.ts";
import { never } from "../../unit/kit/site-bench.ts";

const ownAs = 65010;
const farAs = 12076;
const netstat = ["TcpExt: TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure", "TcpExt: 0 0 0", ""].join(
  "\n",
);

const marks = { prepend: "prepend", "graceful-shutdown": "gracefulShutdown" } as const;

export class SimFrr {
  readonly #device: Device;
  readonly #port: PortName;

  constructor(device: Device, port: PortName) {
    this.#device = device;
    this.#port = port;
  }

  async exec(argv: readonly string[]): Promise<ExecReply> {
    const [program = "", first, ...words] = argv;
    if (program === "cat") return reply(0, netstat);
    if (first === "--help" || first === "-V") return reply(0, "usage");
    if (program === "ping") return await this.#ping(argv);
    const commands = [first, ...words].filter((_word, index) => index % 2 === 1) as string[];
    if (commands[0] === "configure terminal") {
      await this.#configure(commands);
      return reply(0, "");
    }
    const routing = await this.#routing();
    const answers = commands.map((command) => JSON.stringify(this.#answer(command, routing)));
    return reply(0, answers.join("\n"));
  }

  async #ping(argv: readonly string[]): Promise<ExecReply> {
    const [out = "", count = ""] = ["-I", "-c"].map((word) => argv[argv.indexOf(word) + 1]);
    if (!isPortName(out)) throw new Error(`no interface ${out}`);
    const found = await this.#device.probe?.(this.#port, Number(count), never);
    if (found === undefined) throw new Error("the router sends no probes");
    return reply(0, `${found.sent} packets transmitted, ${found.answered} received, x% loss`);
  }

  async #routing(): Promise<Routing> {
    const routing = strongValue((await this.#device.observe(never)).routing);
    if (routing === undefined) throw new Error("the router does not know its routing");
    return routing;
  }

  /** The first line that moves the neighbour decides. */
  async #configure(lines: readonly string[]): Promise<void> {
    const { drains } = await this.#routing();
    const [now] = drains;
    const wanted = lines.flatMap(wantedBy)[0];
    if (wanted === undefined || wanted === (now?.means ?? "none")) return;
    const port = this.#port;
    const change =
      wanted === "none"
        ? ({ kind: "port.restore", port, means: now?.means ?? "prepend" } as const)
        : ({ kind: "port.drain", port, means: wanted } as const);
    const noKeys = (): never => {
      throw new Error("a drain has no key");
    };
    const transaction = await this.#device.prepare([change], noKeys, never);
    await transaction.apply("final", never);
  }

  #answer(command: string, { sessions, routes, drains }: Routing): object {
    const [session] = sessions;
    const peer = session?.peer ?? "";
    const means = drains[0]?.means;
    const maps = mapsOf(means, peer);
    if (command === "show route-map json") {
      return { bgpd: Object.fromEntries(maps.map((name) => [name, { rules: [{}] }])) };
    }
    if (command.endsWith("advertised-routes detail json")) return { advertisedRoutes: {} };
    if (command.endsWith(" neighbors json")) {
      const [into, out] = maps;
      const family = {
        routeMapForIncomingAdvertisements: into,
        routeMapForOutgoingAdvertisements: out,
      };
      const own = {
        ...{ bgpState: session?.up === true ? "Established" : "Active", remoteAs: farAs },
        ...{ addressFamilyInfo: { ipv4Unicast: family }, bgpTimerHoldTimeMsecs: 9000 },
        adminShutDown: means === "peeringShutdown",
      };
      return { [peer]: own };
    }
    if (command.includes("ipv6")) return { localAS: ownAs, routes: {} };
    const found = routes.map(({ prefix, best }) => [prefix, [{ peerId: peer, bestpath: best }]]);
    return { localAS: ownAs, routes: Object.fromEntries(found) };
  }
}

function mapsOf(means: DrainMeans | undefined, peer: string): readonly string[] {
  const [mark] = Object.entries(marks).find(([, value]) => value === means) ?? [];
  if (mark === undefined) return [];
  return ["in", "out"].map((way) => `linkseal-${mark}.default.ipv4.${peer}.${way}`);
}

function wantedBy(line: string): readonly (DrainMeans | "none")[] {
  const [, no, word = "", mark] =
    /^(no )?neighbor \S+ (route-map|shutdown)(?: linkseal-(prepend|graceful-shutdown)\.)?/.exec(
      line,
    ) ?? [];
  if (word === "") return [];
  if (no !== undefined) return ["none"];
  if (word === "shutdown") return ["peeringShutdown"];
  return [mark === undefined ? "none" : marks[mark as keyof typeof marks]];
}
