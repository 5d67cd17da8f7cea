// One end of a wire: a network with a port, a SecY that `ip` made, and our MKA client on it.

import { setTimeout as rest } from "node:timers/promises";
import { caKeys } from "#drivers/linux/mka/keys.ts";
import { MkaPort, type PortObservation } from "#drivers/linux/mka/port.ts";
import type { OwnSettings } from "#drivers/linux/mka/staging.ts";
import { FrameChannel } from "#drivers/transport/frames.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import { type CipherSuite, type Ckn, parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { alarmOf, type Clock, type Instant, type Log } from "#hal/world.ts";
import { addNetwork, enterNetwork, ip, ipBatch, native, netlinkFamilies } from "../lab.ts";

const clock: Clock = {
  now: () => performance.now() as Instant,
  wall: () => Date.now() as never,
  sleep: async (ms, signal) => await rest(ms, undefined, signal === undefined ? {} : { signal }),
  alarm: alarmOf((ms, signal) => clock.sleep(ms, signal)),
};

const linkGroup = 1;
const mtu = 1468;

/**
 * Returns the two networks at the ends of a wire; only MACsec and EAPOL have a reason to cross it.
 */
export function wire(): readonly [string, string] {
  const [left, right] = [addNetwork(), addNetwork()];
  ip("-n", left, "link", "add", "wire", "type", "veth", "peer", "wire", "netns", right);
  [left, right].forEach((network, index) => {
    ipBatch(
      [
        "link set wire addrgenmode none",
        `link set wire address ${macOf(index)}`,
        "link set wire up",
      ],
      "-n",
      network,
    );
  });
  return [left, right];
}

const macOf = (index: number): string => `02:00:00:00:00:0${"ab"[index]}`;

interface SecyOptions {
  readonly suite: CipherSuite;
  readonly sci: "on" | "off";
  readonly replay?: number;
}

export function makeSecy(network: string, { suite, sci, replay }: SecyOptions): void {
  const window = replay === undefined ? "replay off" : `replay on window ${replay}`;
  const settings = `port 1 cipher ${suite} encrypt on protect on validate strict send_sci ${sci}`;
  ipBatch([`link add link wire name ms-wire type macsec ${settings} ${window}`], "-n", network);
}

export function address(network: string, index: number, device = "ms-wire"): void {
  ipBatch(
    [
      `addr add 10.0.0.${index + 1}/24 dev ${device}`,
      `link set ${device} mtu ${mtu}`,
      `link set ${device} up`,
    ],
    "-n",
    network,
  );
}

export interface TestKey {
  readonly ckn: Ckn;
  readonly cak: string;
}

export function keyOf(digits: string, octets: 16 | 32): TestKey {
  const ckn = parseCkn(digits.repeat(32).slice(0, 64));
  if (ckn === undefined) throw new Error("no CKN");
  // The digits differ from those of the key's name, which may be shown.
  const cak = digits.split("").toReversed().join("").repeat(32);
  return { ckn, cak: cak.slice(0, octets * 2) };
}

export class Station implements AsyncDisposable {
  readonly network: string;
  readonly port: MkaPort;
  readonly log: string[] = [];
  readonly #sockets = new DisposableStack();
  readonly #over = new AbortController();
  readonly #running: Promise<void>;

  constructor(network: string, settings: Partial<OwnSettings> = {}) {
    this.network = network;
    enterNetwork(network);
    const routes = this.#sockets.use(new NetlinkChannel(native, netlinkFamilies.route));
    const generic = this.#sockets.use(new NetlinkChannel(native, netlinkFamilies.generic));
    const log: Log = { write: (_level, code, text) => void this.log.push(`${code} ${text}`) };
    this.port = new MkaPort({
      port: "wire",
      sockets: { routes, generic },
      openFrames: (port, listener) => {
        enterNetwork(network);
        return new FrameChannel(native, port, listener);
      },
      clock,
      entropy: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
      log,
      settings: {
        keyServerPriority: 16,
        sakRekeyMs: undefined,
        delayProtection: "off",
        ...settings,
      },
    });
    const noteChange = (): void => this.port.noteChange();
    this.#sockets.use(
      monitor(native, netlinkFamilies.route, [linkGroup], {
        message: noteChange,
        resync: noteChange,
      }),
    );
    this.#running = this.port.run(this.#over.signal);
    this.#running.catch((error: unknown) => this.log.push(`ended: ${String(error)}`));
  }

  async add({ ckn, cak }: TestKey, role: "primary" | "fallback" = "primary"): Promise<void> {
    using secret = Secret.take("cak", Uint8Array.from(Buffer.from(cak, "hex")));
    const keys = caKeys(secret, ckn);
    const refused = await this.port.command({ kind: "addActor", ckn, keys, role });
    for (const key of Object.values(keys)) key[Symbol.dispose]();
    if (refused !== undefined) throw new Error(refused);
  }

  observe(): Promise<PortObservation> {
    return this.port.observe();
  }

  /**
   * Returns the SAK under which frames leave, once frames of the peer are accepted under it too.
   */
  async secured(): Promise<string | undefined> {
    const observed = await this.observe();
    if (observed.kind !== "bound") return undefined;
    const { controlledPort, latestSak, respondedPeers } = observed.kay.session;
    if (controlledPort !== "secured" || respondedPeers === 0) return undefined;
    return latestSak?.transmit === true && latestSak.receive ? latestSak.keyId : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#running.catch(() => undefined);
    this.#sockets[Symbol.dispose]();
  }
}

interface IpSa {
  readonly an: number;
  readonly active: boolean;
  readonly key: string;
  readonly pn: number;
}

interface IpSecy {
  readonly ifname: string;
  readonly encoding_sa: number;
  readonly sa_list: readonly IpSa[];
  readonly rx_sc: readonly {
    readonly sci: string;
    readonly sa_list: readonly IpSa[];
    readonly InPktsOK?: number;
  }[];
}

/** Returns the SecY of this network, as `ip` prints it. */
export function secyOf(network: string): IpSecy | undefined {
  const text = ip("-n", network, "-j", "-s", "macsec", "show");
  return text.trim() === "" ? undefined : (JSON.parse(text) as IpSecy[])[0];
}

/**
 * Returns the names of the active SAs, each with its AN: those under which frames leave and arrive.
 */
export function keysOf(network: string): { readonly sent: string; readonly taken: string[] } {
  const secy = secyOf(network);
  const active = (sas: readonly IpSa[] = []): string[] =>
    sas.filter(({ active: on }) => on).map(({ an, key }) => `${an} ${key}`);
  const sent = active(secy?.sa_list).find((sa) => sa.startsWith(`${secy?.encoding_sa} `)) ?? "";
  return { sent, taken: secy?.rx_sc.flatMap((channel) => active(channel.sa_list)) ?? [] };
}
