// Translates between a configuration in EOS' own lines and the state of the simulated router.

import {
  type CipherSuite,
  type Ckn,
  type DrainMeans,
  type MacsecSettings,
  type PortName,
  parseCkn,
} from "#hal/model.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import type { Router } from "../router/router.ts";
import {
  type Effect,
  effectsBetween,
  type MutableConfig,
  type PortConfig,
} from "../router/router-config.ts";
import { CommandError } from "./eos-config.ts";
import { followTunnels, tunnelsFrom } from "./eos-tunnels.ts";
import {
  type Block,
  bgpOf,
  block,
  blocksAt,
  childOf,
  cloneBlocks,
  linesIn,
  putLines,
  restOf,
} from "./line-tree.ts";
import { configWith, offeredSuite, routeMapOut } from "./port-config.ts";
import { hasIpsec, localAs, outerAddresses } from "./router-facts.ts";
import { obscured, plainOf } from "./type-seven.ts";
import { otherInstance, peeringsOf, type Wiring } from "./wiring.ts";

/** Returns the operator's configuration before the first change: addresses, BGP, and route maps. */
export function firstLines(router: Router, wiring: Wiring): Block[] {
  return [
    block("hostname edge"),
    block(`vrf instance ${wiring.vrf ?? otherInstance(wiring)}`),
    ...wiredInterfaces(router, wiring),
    ...outerAddresses.map((address, index) =>
      block(`interface Loopback${index}`, `ip address ${address}/32`),
    ),
    block("interface Management1", "ip address 192.0.2.1/24"),
    block("ip route 192.0.2.128/25 192.0.2.254"),
    block("ip routing"),
    block("route-map from-azure permit 10"),
    block("route-map to-azure permit 10"),
    bgpBlock(router, wiring),
  ];
}

/** Returns the ports or their aggregates, and interfaces with the same addresses elsewhere. */
function wiredInterfaces(router: Router, wiring: Wiring): readonly Block[] {
  const { vrf, aggregates } = wiring;
  const other = otherInstance(wiring);
  const inVrf = (name: string | undefined): readonly string[] =>
    name === undefined ? [] : [`vrf ${name}`];
  return peeringsOf(router).flatMap(({ port, own, number }) => {
    const addressed = ["no switchport", ...inVrf(vrf), `ip address ${own}/30`];
    const lines = aggregates === undefined ? addressed : [`channel-group ${number} mode active`];
    return [
      block(`interface ${port}`, ...lines),
      ...(aggregates === undefined ? [] : [block(`interface Port-Channel${number}`, ...addressed)]),
      block(`interface Vlan${number}`, ...inVrf(other), `ip address ${own}/30`),
    ];
  });
}

function bgpBlock(router: Router, wiring: Wiring): Block {
  const policies = ["route-map from-azure in", "route-map to-azure out"];
  const neighbours = (as: string): readonly string[] => {
    const bfd = as === "12076" ? ["bfd"] : [];
    return peeringsOf(router).flatMap(({ peer }) =>
      [`remote-as ${as}`, ...bfd, "password 7 0123456789", ...policies].map(
        (rest) => `neighbor ${peer} ${rest}`,
      ),
    );
  };
  const { vrf } = wiring;
  const [plain, inVrf] = vrf === undefined ? ["12076", "64999"] : ["64999", "12076"];
  return block(
    `router bgp ${localAs}`,
    ...neighbours(plain),
    block(`vrf ${vrf ?? otherInstance(wiring)}`, "rd 64512:7", ...neighbours(inVrf)),
  );
}

/** Returns what is configured for BGP in the VRF of the peerings. */
export function bgpIn(lines: readonly Block[], { vrf }: Wiring): readonly Block[] {
  return vrf === undefined ? bgpOf(lines) : linesIn(bgpOf(lines), `vrf ${vrf}`);
}

const ciphers: Readonly<Record<string, CipherSuite>> = {
  "aes128-gcm": "gcm-aes-128",
  "aes256-gcm": "gcm-aes-256",
  "aes128-gcm-xpn": "gcm-aes-xpn-128",
  "aes256-gcm-xpn": "gcm-aes-xpn-256",
};

function cipherOf(suite: CipherSuite): string {
  return Object.entries(ciphers).find(([, one]) => one === suite)?.[0] ?? "aes128-gcm";
}

/**
 * Translates lines into the router's configuration.
 * @throws CommandError as a commit does
 */
export function configFrom(lines: readonly Block[], router: Router, wiring: Wiring): MutableConfig {
  const next = configWith(
    router,
    (port, peer) => {
      return { ...portFrom(lines, port, router), drain: drainFrom(lines, peer, wiring) };
    },
    () => tunnelsFrom(lines, router),
  );
  if (hasIpsec(router) || childOf(lines, "ip security") === undefined) return next;
  throw new CommandError("% ip security is not supported on this hardware platform");
}

/**
 * Returns the effects; a key that became the fallback because another was promoted is not one of
 * its own.
 */
export function effectsOf(before: MutableConfig, after: MutableConfig): readonly Effect[] {
  return effectsBetween(before, after).filter(({ what, port, ckn }) => {
    if (what !== "macsec.promoteKey") return true;
    const keys = after.ports.get(port ?? "")?.keys ?? [];
    return keys.some((key) => key.ckn === ckn && key.role === "primary");
  });
}

function portFrom(
  lines: readonly Block[],
  port: PortName,
  router: Router,
): Omit<PortConfig, "drain"> {
  const own = linesIn(lines, `interface ${port}`);
  const admin = childOf(own, "shutdown") === undefined ? "up" : "down";
  const name = restOf(own, "mac security profile");
  const profile = childOf(linesIn(lines, "mac security"), `profile ${name}`)?.children;
  if (name === undefined || profile === undefined) {
    return { admin, macsec: undefined, keys: [] };
  }
  const keys = keysFrom(profile);
  return { admin, macsec: settingsFrom(profile, router), keys };
}

function settingsFrom(profile: readonly Block[], router: Router): MacsecSettings {
  const cipher = ciphers[restOf(profile, "cipher") ?? "aes128-gcm"] ?? "gcm-aes-128";
  const suite = offeredSuite(router, cipher);
  if (suite === undefined) {
    throw new CommandError(`% Cipher ${cipherOf(cipher)} is not supported on this hardware`);
  }
  const rekey = restOf(profile, "mka session rekey-period");
  const isOff = childOf(profile, "replay protection disabled") !== undefined;
  return {
    suite,
    policy: restOf(profile, "traffic unprotected")?.startsWith("allow")
      ? "shouldSecure"
      : "mustSecure",
    includeSci: childOf(profile, "sci") !== undefined,
    confidentialityOffset: 0,
    keyServerPriority: Number(restOf(profile, "mka key-server priority") ?? 16),
    replayWindow: isOff ? undefined : Number(restOf(profile, "replay protection window") ?? 0),
    sakRekeyMs: rekey === undefined || rekey === "0" ? undefined : Number(rekey) * 1000,
  };
}

function keysFrom(profile: readonly Block[]): EndpointKey[] {
  const keys = profile.flatMap(({ line }): EndpointKey[] => {
    const [, name = "", hidden = "", role = ""] =
      /^key (\S+) 7 (\S+)( fallback)?$/.exec(line) ?? [];
    const ckn = parseCkn(name);
    if (ckn === undefined) return [];
    return [{ ...keyFrom(ckn, hidden), role: role === "" ? "primary" : "fallback" }];
  });
  if (keys.length > 0 && !keys.some(({ role }) => role === "primary")) {
    throw new CommandError("% A fallback key needs a primary key");
  }
  return keys.toSorted((a, b) => (a.role === b.role ? 0 : a.role === "primary" ? -1 : 1));
}

function keyFrom(ckn: Ckn, hidden: string): Pick<EndpointKey, "ckn" | "cak"> {
  const plain = plainOf(hidden) ?? "";
  if (!/^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})$/.test(plain)) {
    throw new CommandError("% Invalid connectivity association key length");
  }
  return { ckn, cak: Uint8Array.from(Buffer.from(plain, "hex")) };
}

// The drain is recognised by the effect of the configuration and not by names in it.
function drainFrom(lines: readonly Block[], peer: string, wiring: Wiring): DrainMeans | undefined {
  const bgp = bgpIn(lines, wiring);
  if (childOf(bgp, `neighbor ${peer} shutdown`) !== undefined) return "peeringShutdown";
  const out = routeMapOut(bgp, peer);
  if (out === undefined) return undefined;
  const clauses = lines.filter(({ line }) => line.startsWith(`route-map ${out} permit `));
  const prepends = clauses.some(({ children }) => {
    return restOf(children, "set as-path prepend") !== undefined;
  });
  return prepends ? "prepend" : undefined;
}

/** Returns the lines after the router was changed other than through this emulator. */
export function linesAfter(lines: readonly Block[], router: Router): Block[] {
  const next = cloneBlocks(lines);
  for (const [port, config] of router.running.ports) {
    const own = childOf(next, `interface ${port}`)?.children;
    if (own === undefined) continue;
    putLines(own, /^shutdown$/, ...(config.admin === "down" ? ["shutdown"] : []));
    const name = restOf(own, "mac security profile") ?? `BY-HAND-${port}`;
    putLines(own, /^mac security profile /);
    if (config.macsec === undefined) continue;
    own.push(block(`mac security profile ${name}`));
    const profile = blocksAt(next, ["mac security", `profile ${name}`]);
    followSettings(profile, config.macsec);
    const keys = config.keys.map(({ ckn, cak, role }) => {
      const hidden = obscured(Buffer.from(cak).toString("hex"));
      return `key ${ckn} 7 ${hidden}${role === "fallback" ? " fallback" : ""}`;
    });
    putLines(profile, /^key [0-9a-f]{2}/, ...keys);
  }
  if (hasIpsec(router)) followTunnels(next, router);
  return next;
}

function followSettings(profile: Block[], settings: MacsecSettings): void {
  const { suite, policy, includeSci, keyServerPriority, replayWindow, sakRekeyMs } = settings;
  const rekey = sakRekeyMs === undefined ? [] : [`mka session rekey-period ${sakRekeyMs / 1000}`];
  const replay = replayWindow === undefined ? "disabled" : `window ${replayWindow}`;
  putLines(profile, /^cipher /, `cipher ${cipherOf(suite)}`);
  putLines(
    profile,
    /^traffic /,
    ...(policy === "shouldSecure" ? ["traffic unprotected allow"] : []),
  );
  putLines(profile, /^sci$/, ...(includeSci ? ["sci"] : []));
  putLines(profile, /^mka key-server /, `mka key-server priority ${keyServerPriority}`);
  putLines(profile, /^mka session /, ...rekey);
  putLines(profile, /^replay /, `replay protection ${replay}`);
}
