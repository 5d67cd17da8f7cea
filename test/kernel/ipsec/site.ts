// An edge and a stand-in for Azure's gateway, joined by one wire that also carries packets beside
// the tunnel.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { ViciMessage } from "#drivers/transport/vici-wire.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { addNetwork, enterNetwork, ip, native } from "../lab.ts";
import { Daemon } from "./daemon.ts";

const outer = { edge: "198.51.100.1", gateway: "198.51.100.2" } as const;
/** Addresses of hosts behind the ends. */
export const inner = { edge: "10.1.0.1", gateway: "10.100.0.1" } as const;
const protectedPrefix = "10.100.0.0/16";
export const gatewayPsk = "Azure_PSK+0123456789.of/the!tests";

export const spec: TunnelSpec = {
  name: "hub-1",
  localAddress: outer.edge,
  remoteAddress: outer.gateway,
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: [protectedPrefix],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
  life: { seconds: 3_600, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  // The tests that wait for a dead gateway take less time.
  dpdSeconds: 5,
  auth: { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" },
};

export const keyOf = (text: string) => async (): Promise<Secret> =>
  Secret.take("psk", new TextEncoder().encode(text));

/** The proposals of the gateway, as one of Azure's custom policies sets them. */
export interface GatewayPolicy {
  readonly ike: string;
  readonly esp: string;
}

export const strong: GatewayPolicy = {
  ike: "aes256gcm16-prfsha384-ecp384",
  esp: "aes256gcm16-ecp384",
};

export interface TunnelSite {
  readonly edge: string;
  readonly gateway: string;
  readonly charon: Daemon;
  readonly far: Daemon;
}

/** Builds only the two networks, each with a host behind it. */
function buildWire(): Pick<TunnelSite, "edge" | "gateway"> {
  const [edge, gateway] = [addNetwork(), addNetwork()];
  ip("-n", edge, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", gateway);
  for (const [network, own, host] of [
    [edge, outer.edge, inner.edge],
    [gateway, outer.gateway, inner.gateway],
  ] as const) {
    ip("-n", network, "address", "add", `${own}/24`, "dev", "wire");
    ip("-n", network, "address", "add", `${host}/32`, "dev", "lo");
    ip("-n", network, "link", "set", "wire", "up");
  }
  // Packets without a better route leave beside the tunnel, and the gateway would answer them.
  ip("-n", edge, "route", "add", "default", "via", outer.gateway, "src", inner.edge);
  ip("-n", gateway, "link", "add", "gw", "type", "xfrm", "if_id", "7");
  ip("-n", gateway, "link", "set", "gw", "mtu", "1400", "up");
  ip("-n", gateway, "route", "add", "10.1.0.0/16", "dev", "gw", "src", inner.gateway);
  return { edge, gateway };
}

export async function buildSite(): Promise<TunnelSite> {
  const { edge, gateway } = buildWire();
  const [charon, far] = [new Daemon(edge), new Daemon(gateway)];
  await charon.start();
  await far.start();
  await loadGateway(far, strong, gatewayPsk);
  return { edge, gateway, charon, far };
}

export async function loadGateway(
  far: Daemon,
  { ike, esp }: GatewayPolicy,
  psk: string,
): Promise<void> {
  await far.ask("load-shared", {
    id: "azure",
    type: "IKE",
    data: psk,
    owners: [outer.edge, outer.gateway],
  });
  await loadAzure(far, { ike, esp }, [
    { auth: "psk", id: outer.gateway },
    { auth: "psk", id: outer.edge },
  ]);
}

interface Certified {
  readonly key: string;
  readonly certificate: string;
}

/** Loads a gateway with a certificate of its own, which accepts peers of one authority. */
export async function loadCertifiedGateway(
  far: Daemon,
  { key, certificate }: Certified,
  { root, peer }: { readonly root: string; readonly peer: string },
): Promise<void> {
  await far.ask("load-key", { type: "any", data: key });
  await loadAzure(far, strong, [
    { auth: "pubkey", certs: [certificate] },
    { auth: "pubkey", id: peer, cacerts: [root] },
  ]);
}

/** The gateway's settings of a tunnel. */
export interface GatewayEnd {
  readonly name: string;
  readonly own: string;
  readonly peer: string;
  readonly ifId: number;
  /** Settings of the connection and of its child that replace or complete the usual ones. */
  readonly connection?: ViciMessage;
  readonly child?: ViciMessage;
}

export const azure: GatewayEnd = { name: "azure", own: outer.gateway, peer: outer.edge, ifId: 7 };

export async function loadAzure(
  far: Daemon,
  { ike, esp }: GatewayPolicy,
  [local, remote]: readonly [ViciMessage, ViciMessage],
  { name, own, peer, ifId, connection = {}, child: childSettings = {} }: GatewayEnd = azure,
): Promise<void> {
  const child = {
    ...{ mode: "tunnel", local_ts: ["0.0.0.0/0"], remote_ts: ["0.0.0.0/0"] },
    ...{ esp_proposals: [esp], rekey_time: "27000s", life_time: "29700s" },
    ...{ if_id_in: `${ifId}`, if_id_out: `${ifId}`, start_action: "none" },
    ...childSettings,
  };
  await far.ask("load-conn", {
    [name]: {
      ...{ version: "2", local_addrs: [own], remote_addrs: [peer] },
      ...{ proposals: [ike], rekey_time: "28800s", over_time: "600s", encap: "no", mobike: "no" },
      ...{ local, remote, ...connection },
      children: { t: child },
    },
  });
}

/** Returns how many of `count` pings between the hosts behind the ends were answered. */
export async function pings(
  network: string,
  count = 3,
  everyS = 0.2,
  to: string = inner.gateway,
): Promise<number> {
  const argv = ["ping", "-I", inner.edge, "-c", `${count}`, "-i", `${everyS}`, "-W", "5"];
  const all = ["netns", "exec", network, ...argv, to];
  const { stdout } = await promisify(execFile)("ip", all).catch(
    (error: unknown) => error as { stdout: string },
  );
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? "0");
}

/** Clear packets of a protected prefix, as they arrive at the gateway's end of the wire. */
export class LeakWatch implements Disposable {
  readonly observed: string[] = [];
  readonly #socket: ReturnType<typeof native.openFrames>;
  readonly #room = new Uint8Array(65_536);

  constructor({ gateway }: Pick<TunnelSite, "gateway">) {
    enterNetwork(gateway);
    const [link] = JSON.parse(ip("-n", gateway, "-j", "link", "show", "wire")) as [
      { ifindex: number },
    ];
    const everybody = new Uint8Array(6).fill(0xff);
    this.#socket = native.openFrames(link.ifindex, 0x0800, everybody, () => {
      for (;;) {
        const length = native.receive(this.#socket, this.#room);
        if (length <= 0) return;
        const octets = Buffer.from(this.#room.subarray(0, length));
        // An Ethernet header comes first, then IPv4 with its two addresses.
        const [from, to] = [addressAt(octets, 26), addressAt(octets, 30)];
        const isProtected = [from, to].some((address) => /^10\.10[01]\./.test(address));
        if (isProtected) this.observed.push(`${from} > ${to}, protocol ${octets[23]}`);
      }
    });
  }

  [Symbol.dispose](): void {
    native.close(this.#socket);
  }
}

function addressAt(octets: Buffer, at: number): string {
  return [...octets.subarray(at, at + 4)].join(".");
}
