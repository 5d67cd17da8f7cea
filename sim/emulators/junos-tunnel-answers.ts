// The answers of Junos about its tunnels, from those of the simulated router.

import type { IpsecSa, Transforms } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import type { SimTunnel } from "../router/tunnel.ts";
import { at, type ConfigNode, entries, entry, nodes, optional, textAt } from "./config-tree.ts";
import { known, sasOf } from "./router-facts.ts";
import { groupNumber, isInUse } from "./tunnel-config.ts";

type Answer = readonly ConfigNode[];

export function ikeSas(router: Router): Answer {
  const blocks = router.tunnels().flatMap((tunnel, index) => {
    const state = known(tunnel.read().ike);
    if (state === "down" || state === undefined) return [];
    const { name, localAddress, remoteAddress, ike } = tunnel.spec;
    return nodes`
      ike-security-associations-block { ike-sa-remote-address ${remoteAddress};
        ike-sa-index ${3_128_619 + index}; ike-gw-name ${name};
        ike-security-associations { ike-sa-role initiator;
          ike-sa-state ${state === "established" ? "UP" : "DOWN"};
          ike-sa-initiator-cookie 16ac5f588b934e91;
          ike-sa-responder-cookie ${state === "established" ? "5fccb149f6fd6c4e" : "0"};
          ike-sa-exchange-type IKEv2; ike-sa-authentication-method Pre-shared-keys;
          ike-sa-local-address ${localAddress}; ike-sa-remote-address ${remoteAddress};
          ike-sa-lifetime "Expires in 27590 seconds";
          ike-sa-algorithms {
            ike-sa-encryption-algorithm ${ike.encryption.replace("aes-", "aes")};
            ike-sa-prf-algorithm ${`hmac-${ike.prf}`};
            ike-sa-dhgroup ${`DH-group-${groupNumber(ike.dhGroup) ?? "2"}`}; } } }`;
  });
  return nodes`ike-security-associations-information { ${blocks} }`;
}

export function ipsecSas(router: Router): Answer {
  const blocks = router.tunnels().flatMap((tunnel, index) => {
    const sas = sasOf(tunnel);
    return sas.length === 0 ? [] : blockOf(tunnel, sas, 500_002 + index);
  });
  return nodes`ipsec-security-associations-information { ${blocks} }`;
}

function blockOf({ spec }: SimTunnel, sas: readonly IpsecSa[], index: number): Answer {
  const { name, localAddress, remoteAddress, transforms } = spec;
  const number = groupNumber(transforms.dhGroup);
  return nodes`
    ipsec-security-associations-block { sa-block-state up; sa-tunnel-index ${index};
      sa-virtual-system root; sa-vpn-name ${name};
      sa-local-gateway ${localAddress}; sa-remote-gateway ${remoteAddress};
      sa-local-identity "ipv4_subnet(any:0,[0..7]=0.0.0.0/0)";
      sa-remote-identity "ipv4_subnet(any:0,[0..7]=0.0.0.0/0)";
      sa-ike-version IKEv2; sa-pfs-group ${number === undefined ? "N/A" : `DH-group-${number}`};
      ${sas.flatMap((sa) => saOf(sa, remoteAddress, index))} }`;
}

function saOf(sa: IpsecSa, remote: string, index: number): Answer {
  const isOld = sa.phase === "rekeyed";
  return nodes`
    ipsec-security-associations { sa-direction ${sa.direction === "in" ? "inbound" : "outbound"};
      sa-tunnel-index ${index}; sa-spi ${sa.spi.toString(16).padStart(8, "0")}; sa-aux-spi 0;
      sa-remote-gateway ${remote}; sa-port 500; sa-vpn-monitoring-state -;
      sa-hard-lifetime ${`Expires in ${isOld ? 5 : 26_000} seconds`};
      sa-lifesize-remaining " Unlimited";
      sa-soft-lifetime ${isOld ? "Expired" : "Expires in 25000 seconds"};
      sa-mode "Tunnel(0 0)"; sa-type dynamic; sa-state installed; sa-protocol ESP;
      sa-authentication-algorithm ${macText(sa.transforms)};
      sa-encryption-algorithm ${cipherText(sa.transforms)};
      sa-anti-replay-service "counter-based enabled"; sa-replay-window-size 64; }`;
}

function cipherText({ encryption }: Transforms): string {
  const [, bits, mode] = /^aes-(\d{3})-(gcm|cbc)$/.exec(encryption) ?? [];
  return bits === undefined ? encryption : `aes-${mode} (${bits} bits)`;
}

function macText({ encryption, integrity }: Transforms): string {
  if (integrity === "none") return encryption.replace("aes-", "aes");
  return integrity === "sha1" ? "hmac-sha1-96" : "hmac-sha256-128";
}

/** Returns the tunnels by the unit of `st0` that each is bound to. */
function boundTunnels(tree: ConfigNode, router: Router): ReadonlyMap<string, SimTunnel> {
  const vpns = at(tree, "security", "ipsec");
  return new Map(
    router.tunnels().map((tunnel) => {
      const vpn = entry(vpns, "vpn", tunnel.spec.name);
      return [textAt(vpn, "bind-interface") ?? "", tunnel] as const;
    }),
  );
}

export function tunnelInterfaces(tree: ConfigNode, router: Router): Answer {
  const bound = boundTunnels(tree, router);
  const st0 = entry(at(tree, "interfaces"), "interface", "st0");
  const units = entries(st0, "unit").flatMap((unit) => {
    const name = `st0.${textAt(unit, "name") ?? ""}`;
    const passed = bound.get(name)?.packets();
    return nodes`
      logical-interface { name ${name}; encapsulation Secure-Tunnel;
        'traffic-statistics junos:style="brief"' {
          input-packets ${passed?.received ?? 0}; output-packets ${passed?.sent ?? 0}; } }`;
  });
  return nodes`
    interface-information {
      physical-interface { name st0; admin-status up; oper-status up; ${units} } }`;
}

export function staticRoutes(tree: ConfigNode, router: Router): Answer {
  const bound = boundTunnels(tree, router);
  const routes = entries(at(tree, "routing-options", "static"), "route").flatMap((route) => {
    const hops = entries(route, "next-hop").filter(({ text }) => isInUse(text, bound));
    const reported = hops.flatMap(
      ({ text }) => nodes`nh { ${optional(text.startsWith("st0.") ? "via" : "to", text)} }`,
    );
    return nodes`
      rt { rt-destination ${textAt(route, "name") ?? ""};
        rt-entry { ${optional("active-tag", hops.length === 0 ? undefined : "*")}
          protocol-name Static; ${reported} } }`;
  });
  return nodes`route-information { route-table { table-name inet.0; ${routes} } }`;
}
