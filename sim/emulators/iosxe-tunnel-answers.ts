// The answers of IOS XE about its tunnels, from those of the simulated router.

import type { IpsecSa, Transforms } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import type { SimTunnel } from "../router/tunnel.ts";
import { boundTunnels, routesOf } from "./iosxe-tunnels.ts";
import type { Block } from "./line-tree.ts";
import { known, sasOf } from "./router-facts.ts";
import { groupNumber, isInUse, runningTunnels } from "./tunnel-config.ts";

export function ikeSas(router: Router): string {
  const rows = router.tunnels().flatMap((tunnel, index) => {
    const state = known(tunnel.read().ike);
    if (state === undefined || state === "down") return [];
    const { localAddress, remoteAddress, ike } = tunnel.spec;
    const [local, remote] = [`${localAddress}/500`, `${remoteAddress}/500`];
    const status = state === "established" ? "READY" : "IN-NEG";
    const [, bits, mode = "cbc"] = /^aes-(\d+)-(gcm|cbc)$/.exec(ike.encryption) ?? [];
    const cipher = bits === undefined ? "3DES" : `AES-${mode.toUpperCase()}, keysize: ${bits}`;
    const group = groupNumber(ike.dhGroup) ?? "2";
    return [
      `${String(index + 1).padEnd(9)} ${local.padEnd(21)} ${remote.padEnd(21)} ` +
        `none/none            ${status}  `,
      `      Encr: ${cipher}, PRF: ${ike.prf.toUpperCase()}, Hash: None, DH Grp:${group}, ` +
        "Auth sign: PSK, Auth verify: PSK",
      "      Life/Active Time: 28800/120 sec",
    ];
  });
  const head = "Tunnel-id Local                 Remote                fvrf/ivrf            Status ";
  const table = rows.length === 0 ? [] : [head, ...rows, ""];
  return [" IPv4 Crypto IKEv2  SA ", "", ...table, " IPv6 Crypto IKEv2  SA "].join("\n");
}

/** `hasHours`: lifetimes are printed in hours and minutes, and key exchanges that are added. */
export function ipsecSas(root: readonly Block[], router: Router, hasHours: boolean): string {
  const reported = [...runningTunnels(boundTunnels(root), router)].map(([at, one]) =>
    flowOf(at, one, hasHours),
  );
  return reported.length === 0 ? "No SAs found" : reported.join("\n\n");
}

function flowOf(at: string, tunnel: SimTunnel, hasHours: boolean): string {
  const { spec } = tunnel;
  const sas = sasOf(tunnel);
  const { sent, received } = tunnel.packets();
  const number = groupNumber(spec.transforms.dhGroup);
  const out = sas.findLast(({ direction }) => direction === "out")?.spi ?? 0;
  const added = hasHours ? ", AKE group: AKE1: MLKEM512" : "";
  const way = (direction: IpsecSa["direction"]): readonly string[] =>
    sas.filter((sa) => sa.direction === direction).flatMap((sa) => saOf(sa, at, hasHours));
  return [
    `interface: ${at}`,
    `    Crypto map tag: ${at}-head-0, local addr ${spec.localAddress}`,
    "",
    "   protected vrf: (none)",
    "   local  ident (addr/mask/prot/port): (0.0.0.0/0.0.0.0/0/0)",
    "   remote ident (addr/mask/prot/port): (0.0.0.0/0.0.0.0/0/0)",
    `   current_peer ${spec.remoteAddress} port 500`,
    "     PERMIT, flags={origin_is_acl,}",
    `    #pkts encaps: ${sent}, #pkts encrypt: ${sent}, #pkts digest: ${sent}`,
    `    #pkts decaps: ${received}, #pkts decrypt: ${received}, #pkts verify: ${received}`,
    "    #pkts compressed: 0, #pkts decompressed: 0",
    "    #send errors 0, #recv errors 0",
    "",
    `     local crypto endpt.: ${spec.localAddress}, remote crypto endpt.: ${spec.remoteAddress}`,
    "     plaintext mtu 1446, path mtu 1500, ip mtu 1500, ip mtu idb (none)",
    `     current outbound spi: ${spiText(out)}`,
    number === undefined
      ? "     PFS (Y/N): N, DH group: none"
      : `     PFS (Y/N): Y, DH group: group${number}${added}`,
    "",
    "     inbound esp sas:",
    ...way("in"),
    "",
    "     inbound ah sas:",
    "",
    "     inbound pcp sas:",
    "",
    "     outbound esp sas:",
    ...way("out"),
    "",
    "     outbound ah sas:",
    "",
    "     outbound pcp sas:",
  ].join("\n");
}

const spiText = (spi: number): string => `0x${spi.toString(16).toUpperCase()}(${spi})`;

function saOf({ spi, transforms, phase }: IpsecSa, at: string, hasHours: boolean) {
  const seconds = phase === "rekeyed" ? 25 : 26_577;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  const life = hasHours ? `${hours} hours, ${minutes} mins` : `(k/sec): (4259661/${seconds})`;
  return [
    `      spi: ${spiText(spi)}`,
    `        transform: ${setText(transforms)} ,`,
    "        in use settings ={Tunnel, }",
    `        conn id: 6, flow_id: 6, sibling_flags FFFFFFFF80004040, crypto map: ${at}-head-0`,
    `        sa timing: remaining key lifetime ${life}`,
    "        IV size: 8 bytes",
    "        replay detection support: Y",
    "        Status: ACTIVE(ACTIVE)",
  ];
}

/** AES with 128 bits is printed without a number. */
function setText({ encryption, integrity }: Transforms): string {
  const [, bits, mode] = /^aes-(\d+)-(gcm|cbc)$/.exec(encryption) ?? [];
  const name = mode === "gcm" ? "esp-gcm" : bits === "128" ? "esp-aes" : `esp-${bits}-aes`;
  const cipher = bits === undefined ? "esp-3des" : name;
  const size = mode === "gcm" && bits !== "128" ? ` ${bits}` : "";
  const mac = integrity === "sha1" ? "esp-sha-hmac" : `esp-${integrity}-hmac`;
  return `${cipher}${size}${integrity === "none" ? "" : ` ${mac}`}`;
}

export function staticRoutes(root: readonly Block[], router: Router): string {
  const running = runningTunnels(boundTunnels(root), router);
  const rows = routesOf(root)
    .filter(({ hop }) => isInUse(hop, running))
    .map(({ prefix, hop }) => {
      const way = hop.startsWith("Tunnel") ? `is directly connected, ${hop}` : `[1/0] via ${hop}`;
      return `S        ${prefix} ${way}`;
    });
  return [
    "Codes: L - local, C - connected, S - static, R - RIP, M - mobile, B - BGP",
    "       n - NAT, Ni - NAT inside, No - NAT outside, Nd - NAT DIA",
    "",
    "Gateway of last resort is not set",
    "",
    ...(rows.length === 0 ? [] : ["      10.0.0.0/8 is variably subnetted, 3 subnets, 2 masks"]),
    ...rows,
  ].join("\n");
}
