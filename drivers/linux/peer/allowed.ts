// What `linkseal peer` passes on; all else is refused before anything happens. FRR's shell gets the
// lines of `frr-commands.ts`, charon the commands of the driver, and ping the form of `probe.ts`.

import { isIP } from "node:net";
import { Malformed } from "#hal/decoder.ts";
import { ReceiveBuffer } from "../../transport/receive-buffer.ts";
import { packetBytesMax, packets } from "../../transport/vici-wire.ts";

const netVerbs = "observe|subnets|route|prepare|recall|changes";
/** A part of a path as RFC 3986 3.3 has it: no blank, which Node refuses to send. */
const part = "[A-Za-z0-9._~!$&'()*+,;=:@%-]+";
const netPath = new RegExp(
  `^/devices/${part}(?:/(?:${netVerbs}|transactions/${part}/(?:apply|confirm|rollback)))?$`,
);

/** Whether linkseal-net has such a verb. */
export const isNetPath = (path: string): boolean => netPath.test(path);

/** A name of an interface (`dev_valid_name` of Linux): no slash, no blank, at most 15 octets. */
const interfaceName = /^(?!-|\.{1,2}$)[A-Za-z0-9_.@-]{1,15}$/;

/** Whether a port can have this name. */
export const isPortName = (name: string): boolean => interfaceName.test(name);

const word = "[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,127}";
const address = "[0-9A-Fa-f:.]{2,45}";
const family = "ipv[46]";
const ours = "linkseal-(?:prepend|graceful-shutdown)\\.[A-Za-z0-9_.:/@+-]{1,110}";
const asNumber = "\\d{1,10}(?:\\.\\d{1,5})?";

const shellLines: readonly RegExp[] = [
  `show bgp vrf ${word} neighbors json`,
  `show bgp vrf ${word} ${family} unicast json`,
  `show bgp vrf ${word} ${family} unicast neighbors ${address} advertised-routes detail json`,
  "show route-map json",
  "configure terminal",
  `router bgp ${asNumber}(?: vrf ${word})?`,
  `(?:no )?route-map ${ours}`,
  `route-map ${ours} permit [12]0`,
  `call ${word}`,
  "on-match next",
  `set as-path prepend ${asNumber}(?: ${asNumber}){2}`,
  "set local-preference (?:0|50)",
  "set community graceful-shutdown additive",
  `address-family ${family} unicast`,
  `(?:no )?neighbor ${address} route-map ${word} (?:in|out)`,
  `(?:no )?neighbor ${address} shutdown(?: message linkseal drains this link)?`,
  "exit-address-family",
  "exit",
].map((line) => new RegExp(`^${line}$`));

/** Whether the driver asks a host to run this. */
export function isProgram(argv: readonly string[]): boolean {
  const [program = "", ...words] = argv;
  switch (program) {
    case "vtysh":
      return isShell(words);
    case "ping":
      return isPing(words);
    case "cat":
      return words.length === 1 && words[0] === "/proc/net/netstat";
    default:
      return false;
  }
}

function isShell(words: readonly string[]): boolean {
  if (words.length === 1 && words[0] === "--help") return true;
  const isNamed = words[0] === "-N" && /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(words[1] ?? "");
  const lines = isNamed ? words.slice(2) : words;
  if (lines.length === 0 || lines.length % 2 === 1) return false;
  return lines.every((line, index) =>
    index % 2 === 0 ? line === "-c" : shellLines.some((known) => known.test(line)),
  );
}

const pingOptions: readonly RegExp[] = [
  ...[/^-n$/, /^-q$/, /^-I$/, interfaceName, /^-c$/, /^\d{1,4}$/, /^-i$/, /^\d\.\d{3}$/],
  ...[/^-W$/, /^1$/, /^-w$/, /^\d{1,3}$/],
];

function isPing(words: readonly string[]): boolean {
  if (words.length === 1 && words[0] === "-V") return true;
  const to = words.at(-1) ?? "";
  if (words.length !== pingOptions.length + 1 || isIP(to) === 0 || to.includes("%")) return false;
  return pingOptions.every((option, index) => option.test(words[index] ?? ""));
}

const commands: ReadonlySet<string> = new Set([
  ...["list-conns", "list-sas", "get-keys", "initiate", "rekey", "terminate"],
  ...["load-cert", "load-conn", "load-key", "load-shared"],
  ...["unload-conn", "unload-key", "unload-shared"],
]);
const events: ReadonlySet<string> = new Set([
  "list-conn",
  "list-sa",
  "log",
  "ike-updown",
  "child-updown",
]);
const lengthBytes = 4;

/** Reads along what an agent sends to charon, packet by packet. */
export class CharonGate {
  readonly #received = new ReceiveBuffer();

  /**
   * Takes what the agent sent, and wipes it; returns the whole packets in it, which the caller
   * sends and wipes.
   * @throws Malformed for a packet that is none, or a command that is not passed on
   */
  pass(octets: Uint8Array): readonly Buffer[] {
    this.#received.push(octets);
    octets.fill(0);
    const whole: Buffer[] = [];
    for (;;) {
      const { octets: waiting } = this.#received;
      if (waiting.length < lengthBytes) return whole;
      const length = lengthBytes + waiting.readUInt32BE();
      if (length > lengthBytes + packetBytesMax) throw new Malformed("packet");
      if (waiting.length < length) return whole;
      const packet = Buffer.from(waiting.subarray(0, length));
      waiting.fill(0, 0, length);
      this.#received.drop(length);
      refuseOther(packet.subarray(lengthBytes));
      whole.push(packet);
    }
  }

  /** Wipes what waits. */
  wipe(): void {
    this.#received.takeAll().fill(0);
  }
}

function refuseOther(packet: Buffer): void {
  const type = packet[0];
  const name = packet.toString("latin1", 2, 2 + (packet[1] ?? 0));
  const known = type === packets.request ? commands : events;
  const isKnown =
    type === packets.request || type === packets.register || type === packets.unregister;
  if (!isKnown || !known.has(name)) throw new Malformed(`charon ${name}`);
}
