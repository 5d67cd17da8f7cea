// What Junos prints of its tunnels when it is asked, out of those of the simulated router.

import type { IpsecSa, Transforms } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import type { SimTunnel } from "../router/tunnel.ts";
import { at, type ConfigNode, entries, entry, textAt } from "./config-tree.ts";
import { known, sasOf } from "./router-facts.ts";
import { groupNumber, isInUse } from "./tunnel-config.ts";
import { type Markup, tag } from "./xml-text.ts";

export function ikeSas(router: Router): Markup {
  const blocks = router.tunnels().flatMap((tunnel, index) => {
    const state = known(tunnel.read().ike);
    if (state === "down" || state === undefined) return [];
    const { spec } = tunnel;
    const sa = tag(
      "ike-security-associations",
      tag("ike-sa-role", "initiator"),
      tag("ike-sa-state", state === "established" ? "UP" : "DOWN"),
      tag("ike-sa-initiator-cookie", "16ac5f588b934e91"),
      tag("ike-sa-responder-cookie", state === "established" ? "5fccb149f6fd6c4e" : "0"),
      tag("ike-sa-exchange-type", "IKEv2"),
      tag("ike-sa-authentication-method", "Pre-shared-keys"),
      tag("ike-sa-local-address", spec.localAddress),
      tag("ike-sa-remote-address", spec.remoteAddress),
      tag("ike-sa-lifetime", "Expires in 27590 seconds"),
      tag(
        "ike-sa-algorithms",
        tag("ike-sa-encryption-algorithm", spec.ike.encryption.replace("aes-", "aes")),
        tag("ike-sa-prf-algorithm", `hmac-${spec.ike.prf}`),
        tag("ike-sa-dhgroup", `DH-group-${groupNumber(spec.ike.dhGroup) ?? "2"}`),
      ),
    );
    return [
      tag(
        "ike-security-associations-block",
        tag("ike-sa-remote-address", spec.remoteAddress),
        tag("ike-sa-index", 3_128_619 + index),
        tag("ike-gw-name", spec.name),
        sa,
      ),
    ];
  });
  return tag("ike-security-associations-information", ...blocks);
}

export function ipsecSas(router: Router): Markup {
  const blocks = router.tunnels().flatMap((tunnel, index) => {
    const sas = sasOf(tunnel);
    return sas.length === 0 ? [] : [blockOf(tunnel, sas, 500_002 + index)];
  });
  return tag("ipsec-security-associations-information", ...blocks);
}

function blockOf({ spec }: SimTunnel, sas: readonly IpsecSa[], index: number): Markup {
  const number = groupNumber(spec.transforms.dhGroup);
  return tag(
    "ipsec-security-associations-block",
    tag("sa-block-state", "up"),
    tag("sa-tunnel-index", index),
    tag("sa-virtual-system", "root"),
    tag("sa-vpn-name", spec.name),
    tag("sa-local-gateway", spec.localAddress),
    tag("sa-remote-gateway", spec.remoteAddress),
    tag("sa-local-identity", "ipv4_subnet(any:0,[0..7]=0.0.0.0/0)"),
    tag("sa-remote-identity", "ipv4_subnet(any:0,[0..7]=0.0.0.0/0)"),
    tag("sa-ike-version", "IKEv2"),
    tag("sa-pfs-group", number === undefined ? "N/A" : `DH-group-${number}`),
    ...sas.map((sa) => saOf(sa, spec.remoteAddress, index)),
  );
}

function saOf(sa: IpsecSa, remote: string, index: number): Markup {
  const isOld = sa.phase === "rekeyed";
  return tag(
    "ipsec-security-associations",
    tag("sa-direction", sa.direction === "in" ? "inbound" : "outbound"),
    tag("sa-tunnel-index", index),
    tag("sa-spi", sa.spi.toString(16).padStart(8, "0")),
    tag("sa-aux-spi", 0),
    tag("sa-remote-gateway", remote),
    tag("sa-port", 500),
    tag("sa-vpn-monitoring-state", "-"),
    tag("sa-hard-lifetime", `Expires in ${isOld ? 5 : 26_000} seconds`),
    tag("sa-lifesize-remaining", " Unlimited"),
    tag("sa-soft-lifetime", isOld ? "Expired" : "Expires in 25000 seconds"),
    tag("sa-mode", "Tunnel(0 0)"),
    tag("sa-type", "dynamic"),
    tag("sa-state", "installed"),
    tag("sa-protocol", "ESP"),
    tag("sa-authentication-algorithm", macText(sa.transforms)),
    tag("sa-encryption-algorithm", cipherText(sa.transforms)),
    tag("sa-anti-replay-service", "counter-based enabled"),
    tag("sa-replay-window-size", 64),
  );
}

function cipherText({ encryption }: Transforms): string {
  const [, bits, mode] = /^aes-(\d{3})-(gcm|cbc)$/.exec(encryption) ?? [];
  return bits === undefined ? encryption : `aes-${mode} (${bits} bits)`;
}

function macText({ encryption, integrity }: Transforms): string {
  if (integrity === "none") return encryption.replace("aes-", "aes");
  return integrity === "sha1" ? "hmac-sha1-96" : "hmac-sha256-128";
}

/** By the unit of `st0` that each is bound to. */
function boundTunnels(tree: ConfigNode, router: Router): ReadonlyMap<string, SimTunnel> {
  const vpns = at(tree, "security", "ipsec");
  return new Map(
    router.tunnels().map((tunnel) => {
      const vpn = entry(vpns, "vpn", tunnel.spec.name);
      return [textAt(vpn, "bind-interface") ?? "", tunnel] as const;
    }),
  );
}

export function tunnelInterfaces(tree: ConfigNode, router: Router): Markup {
  const bound = boundTunnels(tree, router);
  const st0 = entry(at(tree, "interfaces"), "interface", "st0");
  const units = entries(st0, "unit").map((unit) => {
    const name = `st0.${textAt(unit, "name") ?? ""}`;
    const passed = String(bound.get(name)?.packets() ?? 0n);
    return tag(
      "logical-interface",
      tag("name", name),
      tag("encapsulation", "Secure-Tunnel"),
      tag(
        'traffic-statistics junos:style="brief"',
        tag("input-packets", passed),
        tag("output-packets", passed),
      ),
    );
  });
  const physical = tag(
    "physical-interface",
    tag("name", "st0"),
    tag("admin-status", "up"),
    tag("oper-status", "up"),
    ...units,
  );
  return tag("interface-information", physical);
}

export function staticRoutes(tree: ConfigNode, router: Router): Markup {
  const bound = boundTunnels(tree, router);
  const routes = entries(at(tree, "routing-options", "static"), "route").map((route) => {
    const hops = entries(route, "next-hop").filter(({ text }) => isInUse(text, bound));
    const active = hops.length === 0 ? [] : [tag("active-tag", "*")];
    const told = hops.map(({ text }) =>
      tag("nh", tag(text.startsWith("st0.") ? "via" : "to", text)),
    );
    return tag(
      "rt",
      tag("rt-destination", textAt(route, "name") ?? ""),
      tag("rt-entry", ...active, tag("protocol-name", "Static"), ...told),
    );
  });
  return tag("route-information", tag("route-table", tag("table-name", "inet.0"), ...routes));
}
