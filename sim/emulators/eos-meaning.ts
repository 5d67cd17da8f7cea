// What a configuration in EOS' own lines makes of the simulated router, and the other way round.

import {
  type CipherSuite,
  type Ckn,
  type DrainMeans,
  type MacsecSettings,
  type PortName,
  parseCkn,
} from "#hal/model.ts";
import type { StationKey } from "../mka/station.ts";
import type { Router } from "../router/router.ts";
import {
  cloneConfig,
  type Effect,
  effectsBetween,
  type MutableConfig,
  type PortConfig,
} from "../router/router-config.ts";
import { CommandError, childOf, cloneLines, type Line, line, restOf } from "./eos-config.ts";
import { followTunnels, tunnelsFrom } from "./eos-tunnels.ts";
import { obscured, plainOf } from "./type-seven.ts";

export const localAs = "64512";

/** The far end's address on a port, as the router peers with it. */
export function peersOf(router: Router): ReadonlyMap<PortName, string> {
  const { routing } = router.state();
  const sessions = routing.kind === "known" ? routing.value.sessions : [];
  return new Map(sessions.map(({ port, peer }) => [port, peer]));
}

/** Where its tunnels end, whatever links are up. */
const outerAddresses = ["198.51.100.1", "198.51.100.2"];

/** What an operator had before we came: addresses, BGP, and route maps of their own. */
export function firstLines(peers: ReadonlyMap<PortName, string>): Line[] {
  const interfaces = [...peers].map(([port, peer]) => {
    const address = line(`ip address ${peer.replace(/\d+$/, "1")}/30`);
    return line(`interface ${port}`, line("no switchport"), address);
  });
  const neighbours = [...peers.values()].flatMap((peer) => [
    line(`neighbor ${peer} remote-as 12076`),
    line(`neighbor ${peer} password 7 0123456789`),
    line(`neighbor ${peer} route-map from-azure in`),
    line(`neighbor ${peer} route-map to-azure out`),
  ]);
  return [
    line("hostname edge"),
    ...interfaces,
    ...outerAddresses.map((address, index) =>
      line(`interface Loopback${index}`, line(`ip address ${address}/32`)),
    ),
    line("interface Management1", line("ip address 192.0.2.1/24")),
    line("ip route 192.0.2.128/25 192.0.2.254"),
    line("ip routing"),
    line("route-map from-azure permit 10"),
    line("route-map to-azure permit 10"),
    line(`router bgp ${localAs}`, ...neighbours),
  ];
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

/** Throws CommandError as a commit does. */
export function configFrom(lines: readonly Line[], router: Router): MutableConfig {
  const next = cloneConfig(router.running);
  const peers = peersOf(router);
  for (const [port, config] of next.ports) {
    Object.assign(config, portFrom(lines, port, peers.get(port), router, config.keys));
  }
  if (router.options.capabilities.ipsec === undefined) {
    if (childOf(lines, "ip security") === undefined) return next;
    throw new CommandError("% ip security is not supported on this hardware platform");
  }
  return { ...next, tunnels: tunnelsFrom(lines, router) };
}

/** A key that became the fallback made way for the promoted one: one effect, and not two. */
export function effectsOf(before: MutableConfig, after: MutableConfig): readonly Effect[] {
  return effectsBetween(before, after).filter(({ what, port, ckn }) => {
    if (what !== "macsec.promoteKey") return true;
    const keys = after.ports.get(port ?? "")?.keys ?? [];
    return keys.some((key) => key.ckn === ckn && key.role === "primary");
  });
}

function portFrom(
  lines: readonly Line[],
  port: PortName,
  peer: string | undefined,
  router: Router,
  kept: readonly StationKey[],
): PortConfig {
  const own = childOf(lines, `interface ${port}`)?.children ?? [];
  const admin = childOf(own, "shutdown") === undefined ? "up" : "down";
  const drain = peer === undefined ? undefined : drainFrom(lines, peer);
  const name = restOf(own, "mac security profile");
  const profile = profileOf(lines, name);
  if (profile === undefined) return { admin, macsec: undefined, keys: [], drain };
  const keys = keysFrom(profile).map((key) => {
    // A key that stands as it stood is not touched.
    const same = kept.find(({ ckn, cak }) => ckn === key.ckn && equal(cak, key.cak));
    return same === undefined ? key : { ...same, role: key.role };
  });
  return { admin, macsec: settingsFrom(profile, router), keys, drain };
}

function profileOf(lines: readonly Line[], name: string | undefined): readonly Line[] | undefined {
  if (name === undefined) return undefined;
  const macsec = childOf(lines, "mac security")?.children ?? [];
  return childOf(macsec, `profile ${name}`)?.children;
}

function settingsFrom(profile: readonly Line[], router: Router): MacsecSettings {
  const suite = ciphers[restOf(profile, "cipher") ?? "aes128-gcm"] ?? "gcm-aes-128";
  if (router.options.capabilities.macsec?.suites.includes(suite) !== true) {
    throw new CommandError(`% Cipher ${cipherOf(suite)} is not supported on this hardware`);
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

function keysFrom(profile: readonly Line[]): readonly StationKey[] {
  const keys = profile.flatMap(({ text }): StationKey[] => {
    const [, name = "", hidden = "", role = ""] =
      /^key (\S+) 7 (\S+)( fallback)?$/.exec(text) ?? [];
    const ckn = parseCkn(name);
    if (ckn === undefined) return [];
    return [{ ...keyFrom(ckn, hidden), role: role === "" ? "primary" : "fallback" }];
  });
  if (keys.length > 0 && !keys.some(({ role }) => role === "primary")) {
    throw new CommandError("% A fallback key needs a primary key");
  }
  return keys.toSorted((a, b) => (a.role === b.role ? 0 : a.role === "primary" ? -1 : 1));
}

function keyFrom(ckn: Ckn, hidden: string): { readonly ckn: Ckn; readonly cak: Uint8Array } {
  const plain = plainOf(hidden) ?? "";
  if (!/^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})$/.test(plain)) {
    throw new CommandError("% Invalid connectivity association key length");
  }
  return { ckn, cak: Uint8Array.from(Buffer.from(plain, "hex")) };
}

// By what the configuration does and not by what somebody called it.
function drainFrom(lines: readonly Line[], peer: string): DrainMeans | undefined {
  const bgp = lines.find(({ text }) => text.startsWith("router bgp "))?.children ?? [];
  if (childOf(bgp, `neighbor ${peer} shutdown`) !== undefined) return "peeringShutdown";
  const out = bgp
    .map(({ text }) => /^neighbor (\S+) route-map (\S+) out$/.exec(text))
    .find((found) => found?.[1] === peer)?.[2];
  if (out === undefined) return undefined;
  const clauses = lines.filter(({ text }) => text.startsWith(`route-map ${out} permit `));
  const prepends = clauses.some(({ children }) =>
    children.some(({ text }) => text.startsWith("set as-path prepend ")),
  );
  return prepends ? "prepend" : undefined;
}

/** The lines after somebody changed the router by another way than this face. */
export function linesAfter(lines: readonly Line[], router: Router): Line[] {
  const next = cloneLines(lines);
  for (const [port, config] of router.running.ports) {
    const own = childOf(next, `interface ${port}`);
    if (own === undefined) continue;
    put(own, /^shutdown$/, config.admin === "down" ? ["shutdown"] : []);
    if (config.macsec === undefined) {
      put(own, /^mac security profile /, []);
      continue;
    }
    const name = restOf(own.children, "mac security profile") ?? `BY-HAND-${port}`;
    put(own, /^mac security profile /, [`mac security profile ${name}`]);
    const macsec = within(next, "mac security");
    const profile = within(macsec.children, `profile ${name}`);
    followSettings(profile, config.macsec);
    const keys = config.keys.map(({ ckn, cak, role }) => {
      const hidden = obscured(Buffer.from(cak).toString("hex"));
      return `key ${ckn} 7 ${hidden}${role === "fallback" ? " fallback" : ""}`;
    });
    put(profile, /^key [0-9a-f]{2}/, keys);
  }
  if (router.options.capabilities.ipsec !== undefined) followTunnels(next, router);
  return next;
}

function within(lines: Line[], text: string): Line {
  const found = childOf(lines, text);
  if (found !== undefined) return found;
  const made = line(text);
  lines.push(made);
  return made;
}

function put(parent: Line, gone: RegExp, texts: readonly string[]): void {
  const rest = parent.children.filter(({ text }) => !gone.test(text));
  parent.children = [...rest, ...texts.map((text) => line(text))];
}

function followSettings(profile: Line, settings: MacsecSettings): void {
  const { suite, policy, includeSci, keyServerPriority, replayWindow, sakRekeyMs } = settings;
  put(profile, /^cipher /, [`cipher ${cipherOf(suite)}`]);
  put(profile, /^traffic /, policy === "shouldSecure" ? ["traffic unprotected allow"] : []);
  put(profile, /^sci$/, includeSci ? ["sci"] : []);
  put(profile, /^mka key-server /, [`mka key-server priority ${keyServerPriority}`]);
  put(
    profile,
    /^mka session /,
    sakRekeyMs === undefined ? [] : [`mka session rekey-period ${sakRekeyMs / 1000}`],
  );
  put(profile, /^replay /, [
    replayWindow === undefined
      ? "replay protection disabled"
      : `replay protection window ${replayWindow}`,
  ]);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
