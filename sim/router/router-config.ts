// The configuration of a router, the differences between two of them, and their preview for
// operators.

import type { Ckn, DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { EffectEvent } from "../base/truth.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";

/** The configuration of one port. */
export interface PortConfig {
  /** The administrative state. */
  admin: "up" | "down";
  /** The MACsec settings; undefined if the port has no MACsec. */
  macsec: MacsecSettings | undefined;
  /** The CAKs, in the order of the configuration. */
  keys: EndpointKey[];
  /** The means of the drain; undefined if the port is not drained. */
  drain: DrainMeans | undefined;
}

/** The configuration of one tunnel. */
export interface TunnelConfig {
  /** The settings of the tunnel, without its PSK. */
  readonly spec: TunnelSpec;
  /** The octets of the pre-shared key. */
  readonly psk: Uint8Array;
}

/** A configuration whose ports and tunnels can be changed in place. */
export interface MutableConfig {
  readonly ports: Map<PortName, PortConfig>;
  /** The tunnels by name. */
  readonly tunnels: Map<string, TunnelConfig>;
}

/** One change of a running configuration, without its time and originator. */
export type Effect = Pick<EffectEvent, "what" | "port" | "ckn" | "token">;

export type Difference =
  | {
      readonly kind: "settings";
      readonly port: PortName;
      readonly before: MacsecSettings | undefined;
      readonly after: MacsecSettings | undefined;
    }
  | {
      readonly kind: "key";
      readonly port: PortName;
      readonly before: EndpointKey | undefined;
      readonly after: EndpointKey | undefined;
    }
  | {
      readonly kind: "admin";
      readonly port: PortName;
      readonly before: PortConfig["admin"];
      readonly after: PortConfig["admin"];
    }
  | {
      readonly kind: "drain";
      readonly port: PortName;
      readonly before: DrainMeans | undefined;
      readonly after: DrainMeans | undefined;
    }
  | {
      readonly kind: "tunnel";
      readonly name: string;
      readonly before: TunnelConfig | undefined;
      readonly after: TunnelConfig | undefined;
    };

/** Copies the containers; keys, settings and tunnels are immutable values. */
export function cloneConfig(config: MutableConfig): MutableConfig {
  const ports = new Map<PortName, PortConfig>();
  for (const [name, port] of config.ports) ports.set(name, { ...port, keys: [...port.keys] });
  return { ports, tunnels: new Map(config.tunnels) };
}

/**
 * Lists the differences; a port that the second configuration lacks is ignored, because hardware
 * does not vanish.
 */
export function diffConfig(before: MutableConfig, after: MutableConfig): Difference[] {
  const found: Difference[] = [];
  for (const [name, old] of before.ports) {
    const port = after.ports.get(name);
    if (port !== undefined) diffPort(name, old, port, found);
  }
  for (const name of new Set([...before.tunnels.keys(), ...after.tunnels.keys()])) {
    const old = before.tunnels.get(name);
    const tunnel = after.tunnels.get(name);
    if (!sameTunnel(old, tunnel)) found.push({ kind: "tunnel", name, before: old, after: tunnel });
  }
  return found;
}

function diffPort(port: PortName, old: PortConfig, next: PortConfig, found: Difference[]): void {
  if (!sameSettings(old.macsec, next.macsec)) {
    found.push({ kind: "settings", port, before: old.macsec, after: next.macsec });
  }
  for (const ckn of new Set([...old.keys, ...next.keys].map((key) => key.ckn))) {
    const before = old.keys.find((key) => key.ckn === ckn);
    const after = next.keys.find((key) => key.ckn === ckn);
    if (!sameKey(before, after)) found.push({ kind: "key", port, before, after });
  }
  if (old.admin !== next.admin) {
    found.push({ kind: "admin", port, before: old.admin, after: next.admin });
  }
  if (old.drain !== next.drain) {
    found.push({ kind: "drain", port, before: old.drain, after: next.drain });
  }
}

/**
 * True if undoing the difference needs the bytes of a key, which a revert that stores none lacks.
 */
export function losesSecret(difference: Difference): boolean {
  if (difference.before === undefined) return false;
  switch (difference.kind) {
    case "key":
      return difference.after === undefined || !sameCak(difference.before, difference.after);
    case "tunnel":
      return true;
    case "settings":
    case "admin":
    case "drain":
      return false;
  }
}

/** Returns the effects of a configuration that replaces another at once. */
export function effectsBetween(before: MutableConfig, after: MutableConfig): readonly Effect[] {
  return diffConfig(before, after).flatMap((difference) => {
    if (difference.kind !== "key") return [effectOf(difference)];
    const { port } = difference;
    if (isDisplaced(difference, after)) return [];
    const [old, ...others] = before.ports.get(port)?.keys ?? [];
    const [next, ...more] = after.ports.get(port)?.keys ?? [];
    const isOneForOne = others.length === 0 && more.length === 0 && old?.ckn !== next?.ckn;
    if (old === undefined || next === undefined || !isOneForOne) return [effectOf(difference)];
    const isNew = difference.after !== undefined;
    return isNew ? [{ what: "macsec.replaceKey", port, ckn: next.ckn } as const] : [];
  });
}

/** True if a primary key became a fallback because another key was promoted. */
function isDisplaced(
  { port, before, after: left }: Extract<Difference, { readonly kind: "key" }>,
  after: MutableConfig,
): boolean {
  if (before?.role !== "primary" || left?.role !== "fallback") return false;
  return after.ports.get(port)?.keys.some(({ role }) => role === "primary") === true;
}

/** Returns the effect of one difference that a manual change of the running configuration made. */
export function effectOf(difference: Difference): Effect {
  switch (difference.kind) {
    case "settings":
      return { what: "macsec.protect", port: difference.port };
    case "key":
      return keyEffect(difference.port, difference.before, difference.after);
    case "admin": {
      const what = difference.after === "up" ? "port.open" : "port.shut";
      return { what, port: difference.port };
    }
    case "drain": {
      const what = difference.after === undefined ? "port.restore" : "port.drain";
      return { what, port: difference.port };
    }
    case "tunnel": {
      const what = difference.after === undefined ? "ipsec.removeTunnel" : "ipsec.putTunnel";
      return { what, port: undefined };
    }
  }
}

function keyEffect(
  port: PortName,
  before: EndpointKey | undefined,
  after: EndpointKey | undefined,
): Effect {
  const key = after ?? before;
  const ckn = key === undefined ? {} : { ckn: key.ckn };
  if (before === undefined) return { what: "macsec.addKey", port, ...ckn };
  if (after === undefined) return { what: "macsec.removeKey", port, ...ckn };
  const what = sameCak(before, after) ? "macsec.promoteKey" : "macsec.replaceKey";
  return { what, port, ...ckn };
}

/** Returns lines with `+` and `-`; only the label of a secret appears. */
export function previewOf(differences: readonly Difference[]): string[] {
  const lines: string[] = [];
  for (const difference of differences) {
    const before = describe(difference, "before");
    const after = describe(difference, "after");
    if (before !== undefined) lines.push(`- ${before}`);
    if (after !== undefined) lines.push(`+ ${after}`);
  }
  return lines;
}

function describe(difference: Difference, side: "before" | "after"): string | undefined {
  switch (difference.kind) {
    case "settings":
      return difference[side] && `${difference.port} ${describeSettings(difference[side])}`;
    case "key":
      return difference[side] && `${difference.port} ${describeKey(difference[side])}`;
    case "admin":
      return `${difference.port} admin ${difference[side]}`;
    case "drain":
      return difference[side] && `${difference.port} drain by ${difference[side]}`;
    case "tunnel":
      return difference[side] && describeTunnel(difference[side].spec);
  }
}

function describeSettings(settings: MacsecSettings): string {
  const policy = settings.policy === "mustSecure" ? "must-secure" : "should-secure";
  const sci = settings.includeSci ? "sci on" : "sci off";
  const replay = settings.replayWindow === undefined ? "off" : String(settings.replayWindow);
  const rekey = settings.sakRekeyMs === undefined ? "by packet number" : `${settings.sakRekeyMs}ms`;
  return (
    `macsec ${policy} ${settings.suite} ${sci} offset ${settings.confidentialityOffset} ` +
    `priority ${settings.keyServerPriority} replay ${replay} rekey ${rekey}`
  );
}

function describeKey(key: EndpointKey): string {
  return `pre-shared key ${shortCkn(key.ckn)} ${key.role} [secret cak]`;
}

function describeTunnel(spec: TunnelSpec): string {
  const { encryption, integrity, dhGroup } = spec.transforms;
  const { ike, life, mtu, ifId } = spec;
  return (
    `tunnel ${spec.name} ${spec.localAddress} to ${spec.remoteAddress} ` +
    `protects ${spec.localPrefixes.join(",")} to ${spec.remotePrefixes.join(",")} ` +
    `with ${encryption}/${integrity}/${dhGroup} for ${life.seconds}s or ${life.kilobytes}kB, ` +
    `IKE ${ike.encryption}/${ike.integrity}/${ike.prf}/${ike.dhGroup}, ` +
    `mtu ${mtu}, number ${ifId} [secret psk]`
  );
}

function shortCkn(ckn: Ckn): string {
  return ckn.length <= 12 ? ckn : `${ckn.slice(0, 4)}…${ckn.slice(-4)}`;
}

/** True if both have the same value in every setting, or both are undefined. */
export function sameSettings(
  a: MacsecSettings | undefined,
  b: MacsecSettings | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.suite === b.suite &&
    a.policy === b.policy &&
    a.includeSci === b.includeSci &&
    a.confidentialityOffset === b.confidentialityOffset &&
    a.keyServerPriority === b.keyServerPriority &&
    a.replayWindow === b.replayWindow &&
    a.sakRekeyMs === b.sakRekeyMs
  );
}

function sameKey(a: EndpointKey | undefined, b: EndpointKey | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.role === b.role && a.startsAt === b.startsAt && sameCak(a, b);
}

/** True if both keys have the same CAK octets. */
export function sameCak(a: EndpointKey, b: EndpointKey): boolean {
  return sameBytes(a.cak, b.cak);
}

/** True if both have the same octets. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}

/** Compares the text, which contains all that reaches a device; the PSK's vault id does not. */
export function sameSpec(a: TunnelSpec, b: TunnelSpec): boolean {
  return describeTunnel(a) === describeTunnel(b);
}

/** Compares what the SAs of a tunnel depend on: neither its prefixes nor its interface. */
export function sameSas(a: TunnelSpec, b: TunnelSpec): boolean {
  const { mtu, localPrefixes, remotePrefixes } = a;
  return sameSpec(a, { ...b, mtu, localPrefixes, remotePrefixes });
}

function sameTunnel(a: TunnelConfig | undefined, b: TunnelConfig | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameSpec(a.spec, b.spec) && sameBytes(a.psk, b.psk);
}

/**
 * Returns the running configuration without the additions between `before` and `after`: keys are
 * removed by CKN, settings get their old value, tunnels are unloaded. A drain stays, and a removed
 * secret is not restored.
 */
export function withoutAdditions(
  running: MutableConfig,
  before: MutableConfig,
  after: MutableConfig,
): MutableConfig {
  const undone = cloneConfig(running);
  for (const difference of diffConfig(before, after)) {
    if (difference.kind === "tunnel") {
      if (difference.before === undefined) undone.tunnels.delete(difference.name);
      continue;
    }
    const port = undone.ports.get(difference.port);
    if (port !== undefined) undoOnPort(port, difference);
  }
  return undone;
}

function undoOnPort(port: PortConfig, difference: Exclude<Difference, { kind: "tunnel" }>): void {
  switch (difference.kind) {
    case "settings":
      port.macsec = difference.before;
      return;
    case "key":
      port.keys = port.keys.flatMap((key) => {
        if (key.ckn !== difference.after?.ckn) return [key];
        return difference.before === undefined ? [] : [{ ...key, role: difference.before.role }];
      });
      return;
    case "admin":
      port.admin = difference.before;
      return;
    case "drain":
      return;
  }
}
