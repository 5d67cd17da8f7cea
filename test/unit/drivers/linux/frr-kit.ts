// FRR and the host's programs, simulated: they answer as recorded, and store the commands that they
// receive.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Frr } from "#drivers/linux/routing/frr.ts";
import type { Md5Counters } from "#drivers/linux/routing/frr-parsers.ts";
import type { ExecReply } from "#hal/world.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function recordedFrr(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../recorded", `frr-${name}.txt`), "utf8");
}

export const reply = (status: number, text: string, error = ""): ExecReply => ({
  status,
  stdout: bytes(text),
  stderr: bytes(error),
});

interface Neighbour {
  addressFamilyInfo: Record<string, object>;
  bgpState?: string;
}

export class PretendFrr implements Frr {
  readonly shell: readonly string[];
  readonly sent: string[][] = [];
  readonly asked: string[] = [];
  neighbours = JSON.parse(recordedFrr("neighbors")) as Record<string, Neighbour>;
  routeMaps = JSON.parse(recordedFrr("route-maps")) as { bgpd: Record<string, object> };
  /** Its answer to a change. */
  refusal: { status: number; text: string } | undefined;
  /** Its answer to a query. */
  silence: ExecReply | Error | undefined;
  /** The counters of the kernel; undefined = as recorded. */
  md5: Md5Counters | undefined;
  /** The kernel's list of the connections of BGP. */
  connections: ExecReply = reply(1, "", "not simulated");

  constructor(shell: readonly string[] = ["vtysh", "-N", "edge"]) {
    this.shell = shell;
  }

  readonly exec: Frr["exec"] = async (argv) => {
    if (argv[0] === "cat") return reply(0, this.#netstat());
    if (argv[0] === "ss") return this.connections;
    const words = argv.slice(this.shell.length);
    const commands = words.filter((_word, index) => index % 2 === 1);
    const odd = words.filter((word, index) => index % 2 === 0 && word !== "-c");
    const shell = argv.slice(0, this.shell.length).join(" ");
    if (shell !== this.shell.join(" ") || odd.length > 0) {
      throw new Error(`not as the shell takes it: ${argv.join(" ")}`);
    }
    if (commands[0] === "configure terminal") {
      this.sent.push(commands);
      const { status, text } = this.refusal ?? { status: 0, text: "" };
      return reply(status, text);
    }
    this.asked.push(...commands);
    if (this.silence instanceof Error) throw this.silence;
    return this.silence ?? reply(0, commands.map((command) => this.#answer(command)).join("\n"));
  };

  #answer(command: string): string {
    if (command === "show route-map json") return JSON.stringify(this.routeMaps);
    if (command.endsWith("advertised-routes detail json")) return recordedFrr("advertised");
    if (command.endsWith(" neighbors json")) return JSON.stringify(this.neighbours);
    return command.includes("ipv6") ? '{"localAS":65010,"routes":{}}' : recordedFrr("routes");
  }

  #netstat(): string {
    if (this.md5 === undefined) return recordedFrr("netstat");
    const { failed, missing, unexpected } = this.md5;
    const names = "TcpExt: TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure";
    return `${names}\nTcpExt: ${missing} ${unexpected} ${failed}\n`;
  }

  /** Gives `address` these maps in IPv4, and a sufficient policy. */
  filter(address: string, maps: { in?: string; out?: string }): void {
    const family = {
      routeMapForIncomingAdvertisements: maps.in,
      routeMapForOutgoingAdvertisements: maps.out,
    };
    const neighbour = this.neighbours[address];
    if (neighbour !== undefined) neighbour.addressFamilyInfo = { ipv4Unicast: family };
  }

  /** Puts the session with `address` into that state of RFC 4271. */
  turn(address: string, bgpState: string): void {
    const neighbour = this.neighbours[address];
    if (neighbour !== undefined) neighbour.bgpState = bgpState;
  }
}
