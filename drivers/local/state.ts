// A look as it came over a socket, checked field by field before any of it is believed.

import { type Capabilities, type CommitMode, rekeyWhats } from "#hal/device.ts";
import {
  type BackedPrefix,
  type BgpSession,
  type CipherSuite,
  type Ckn,
  type ControlPlane,
  type DeviceState,
  type DrainMeans,
  type FailOpen,
  failOpenWays,
  type IpsecSa,
  type IpsecTunnel,
  ikeStates,
  type KeyAgreement,
  type KeySlot,
  keyAgreements,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaParticipant,
  type MkaSession,
  type MkpduCounters,
  type OpenAdvertisement,
  type PortRate,
  parseCkn,
  type Reading,
  type Route,
  type Routing,
  type Sak,
  type Transforms,
  type TunnelGap,
  type UnknownWhy,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import {
  count,
  counter,
  field,
  flag,
  type JsonObject,
  list,
  Malformed,
  name,
  names,
  number,
  oneOf,
  optional,
  record,
  recordOf,
  sentence,
} from "./shape.ts";

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];
const drainMeans: readonly DrainMeans[] = ["prepend", "gracefulShutdown", "peeringShutdown"];
const whys: readonly UnknownWhy[] = ["notSupported", "queryFailed", "unparsed", "contradicted"];
const settingNames: readonly (keyof MacsecSettings)[] = [
  "suite",
  "policy",
  "includeSci",
  "confidentialityOffset",
  "keyServerPriority",
  "replayWindow",
  "sakRekeyMs",
];

const portsMax = 512;
const tunnelsMax = 512;
const keysMax = 16;
/** Two of each prefix, and the interface's own. */
const gapsMax = 8_200;
const sasMax = 64;
const routesMax = 4096;
const uint32Max = 2 ** 32 - 1;

/** When the question left and when its answer was here, by our own clock. */
export interface Asked {
  readonly from: Instant;
  readonly to: Instant;
}

/**
 * Throws Malformed. Instants outside the exchange are moved into it: no device can look fresher
 * than it is.
 */
export function readState(value: unknown, device: string, asked: Asked): DeviceState {
  const state = recordOf(value, "state");
  if (name(state, "device") !== device) throw new Malformed("device");
  const told = number(state, "at");
  const at = Math.min(Math.max(told, asked.from), asked.to) as Instant;
  const moved: Move = { by: at - told, max: at };
  return {
    device,
    at,
    control: reading(state, "control", moved, readControl),
    macsec: distinct(
      list(state, "macsec", portsMax, (port) => readPort(port, moved)),
      (port) => port.port,
    ),
    ipsec: distinct(
      list(state, "ipsec", tunnelsMax, (tunnel) => readTunnel(tunnel, moved)),
      (tunnel) => tunnel.name,
    ),
    ...(field(state, "blocked") === undefined
      ? {}
      : { blocked: reading(state, "blocked", moved, readBlocked) }),
    ...(field(state, "backed") === undefined
      ? {}
      : { backed: reading(state, "backed", moved, readBacked) }),
    ...(field(state, "ways") === undefined
      ? {}
      : { ways: reading(state, "ways", moved, readWays) }),
    routing: reading(state, "routing", moved, readRouting),
  };
}

function readWays(parent: JsonObject, key: string): readonly Route[] {
  return list(parent, key, routesMax, readRoute);
}

function readBlocked(parent: JsonObject, key: string): readonly string[] {
  return names(parent, key, routesMax);
}

function readBacked(parent: JsonObject, key: string): readonly BackedPrefix[] {
  return list(parent, key, routesMax, (one) => ({
    prefix: name(one, "prefix"),
    ports: names(one, "ports", portsMax),
    open: names(one, "open", portsMax),
  }));
}

interface Move {
  readonly by: number;
  readonly max: number;
}

/** `read` gets the reading's record and looks at its `value`. */
function reading<T>(
  parent: JsonObject,
  key: string,
  moved: Move,
  read: (known: JsonObject, key: "value") => T,
): Reading<T> {
  const told = record(parent, key);
  const at = Math.min(number(told, "at") + moved.by, moved.max) as Instant;
  if (oneOf(told, "kind", ["known", "unknown"]) === "unknown") {
    return { kind: "unknown", why: oneOf(told, "why", whys), at };
  }
  const value = read(told, "value");
  return field(told, "weak") === undefined
    ? { kind: "known", value, at }
    : { kind: "known", value, at, weak: true };
}

// Two answers for one port or tunnel would let the reader pick the nicer one.
function distinct<T>(items: readonly T[], nameOf: (item: T) => string): readonly T[] {
  if (new Set(items.map(nameOf)).size === items.length) return items;
  throw new Malformed("names");
}

function readControl(parent: JsonObject, key: string): ControlPlane {
  const control = record(parent, key);
  return {
    wall: number(control, "wall") as WallTime,
    bootId: name(control, "bootId"),
    configId: name(control, "configId"),
    commitPending: flag(control, "commitPending"),
  };
}

function readPort(port: JsonObject, moved: Move): MacsecPort {
  return {
    port: name(port, "port"),
    admin: reading(port, "admin", moved, (known, key) => oneOf(known, key, ["up", "down"])),
    linkUp: reading(port, "linkUp", moved, flag),
    settings: reading(port, "settings", moved, (known, key) => optional(readSettings, known, key)),
    liveSuite: reading(port, "liveSuite", moved, (known, key) => optional(readSuite, known, key)),
    keys: reading(port, "keys", moved, (known, key) => list(known, key, keysMax, readKey)),
    session: reading(port, "session", moved, readSession),
    mkpdus: reading(port, "mkpdus", moved, readMkpdus),
    frames: reading(port, "frames", moved, readFrames),
    rate: reading(port, "rate", moved, readRate),
    ...(field(port, "failOpen") === undefined
      ? {}
      : { failOpen: reading(port, "failOpen", moved, readFailOpen) }),
    ...(field(port, "keyAgreement") === undefined
      ? {}
      : { keyAgreement: reading(port, "keyAgreement", moved, readAgreement) }),
  };
}

function readAgreement(parent: JsonObject, key: string): KeyAgreement {
  return oneOf(parent, key, keyAgreements);
}

function readFailOpen(parent: JsonObject, key: string): readonly FailOpen[] {
  return namesOf(parent, key, failOpenWays);
}

export function readSuite(parent: JsonObject, key: string): CipherSuite {
  return oneOf(parent, key, suites);
}

export function readSettings(parent: JsonObject, key: string): MacsecSettings {
  const settings = record(parent, key);
  return {
    suite: readSuite(settings, "suite"),
    policy: oneOf(settings, "policy", ["mustSecure", "shouldSecure"]),
    includeSci: flag(settings, "includeSci"),
    confidentialityOffset: oneOf(settings, "confidentialityOffset", [0, 30, 50]),
    keyServerPriority: count(settings, "keyServerPriority", 255),
    replayWindow: optional(uint32, settings, "replayWindow"),
    sakRekeyMs: optional(milliseconds, settings, "sakRekeyMs"),
  };
}

function readCkn(parent: JsonObject, key: string): Ckn {
  const ckn = parseCkn(name(parent, key));
  if (ckn === undefined) throw new Malformed(key);
  return ckn;
}

export function readKey(slot: JsonObject): KeySlot {
  const ckn = readCkn(slot, "ckn");
  const role = oneOf(slot, "role", ["primary", "fallback", "scheduled"]);
  const startsAt = optional(number, slot, "startsAt");
  return startsAt === undefined ? { ckn, role } : { ckn, role, startsAt: startsAt as WallTime };
}

export function readSession(parent: JsonObject, key: string): MkaSession {
  const session = record(parent, key);
  return {
    controlledPort: oneOf(session, "controlledPort", ["secured", "unprotected", "blocked"]),
    principalCkn: optional(readCkn, session, "principalCkn"),
    participants: list(session, "participants", keysMax, readParticipant),
    livePeers: uint32(session, "livePeers"),
    respondedPeers: uint32(session, "respondedPeers"),
    keyServer: oneOf(session, "keyServer", ["self", "peer", "none"]),
    keyServerPriority: optional(uint32, session, "keyServerPriority"),
    latestSak: optional(readSak, session, "latestSak"),
    oldSak: optional(readSak, session, "oldSak"),
  };
}

function readParticipant(participant: JsonObject): MkaParticipant {
  return {
    ckn: readCkn(participant, "ckn"),
    state: oneOf(participant, "state", ["live", "active", "none"]),
    livePeers: uint32(participant, "livePeers"),
    potentialPeers: uint32(participant, "potentialPeers"),
  };
}

function readSak(parent: JsonObject, key: string): Sak {
  const sak = record(parent, key);
  return {
    an: count(sak, "an", 3),
    keyId: name(sak, "keyId"),
    receive: flag(sak, "receive"),
    transmit: flag(sak, "transmit"),
  };
}

export function readMkpdus(parent: JsonObject, key: string): MkpduCounters {
  const mkpdus = record(parent, key);
  return {
    sent: counter(mkpdus, "sent"),
    received: counter(mkpdus, "received"),
    icvFailed: optional(counter, mkpdus, "icvFailed"),
    unknownCkn: optional(counter, mkpdus, "unknownCkn"),
    replayed: optional(counter, mkpdus, "replayed"),
  };
}

function readFrames(parent: JsonObject, key: string): MacsecFrames {
  const frames = record(parent, key);
  return {
    txProtected: counter(frames, "txProtected"),
    txClear: optional(counter, frames, "txClear"),
    txTooLong: optional(counter, frames, "txTooLong"),
    rxOk: counter(frames, "rxOk"),
    rxClear: optional(counter, frames, "rxClear"),
    rxBadTag: optional(counter, frames, "rxBadTag"),
    rxNotValid: optional(counter, frames, "rxNotValid"),
    rxLate: optional(counter, frames, "rxLate"),
    rxNoSci: optional(counter, frames, "rxNoSci"),
    rxUnknownSci: optional(counter, frames, "rxUnknownSci"),
    rxNotUsingSa: optional(counter, frames, "rxNotUsingSa"),
    rxUnusedSa: optional(counter, frames, "rxUnusedSa"),
    nextPn: optional(counter, frames, "nextPn"),
  };
}

function readRate(parent: JsonObject, key: string): PortRate {
  const rate = record(parent, key);
  return {
    rxPps: amount(rate, "rxPps"),
    txPps: amount(rate, "txPps"),
    rxBps: amount(rate, "rxBps"),
    txBps: amount(rate, "txBps"),
    lineBps: amount(rate, "lineBps"),
  };
}

function readTunnel(tunnel: JsonObject, moved: Move): IpsecTunnel {
  return {
    name: name(tunnel, "name"),
    ike: reading(tunnel, "ike", moved, (known, key) => oneOf(known, key, ikeStates)),
    ...(field(tunnel, "trouble") === undefined ? {} : { trouble: sentence(tunnel, "trouble") }),
    ...(field(tunnel, "gaps") === undefined
      ? {}
      : { gaps: list(tunnel, "gaps", gapsMax, readTunnelGap) }),
    sas: reading(tunnel, "sas", moved, (known, key) => list(known, key, sasMax, readSa)),
  };
}

function readTunnelGap(gap: JsonObject): TunnelGap {
  return { kind: oneOf(gap, "kind", ["closed", "mtu"]), text: sentence(gap, "text") };
}

function readSa(sa: JsonObject): IpsecSa {
  return {
    spi: uint32(sa, "spi"),
    direction: oneOf(sa, "direction", ["in", "out"]),
    phase: oneOf(sa, "phase", ["installed", "rekeying", "rekeyed", "deleting"]),
    transforms: readTransforms(record(sa, "transforms")),
    packets: counter(sa, "packets"),
    sequence: optional(counter, sa, "sequence"),
    ...(field(sa, "antiReplay") === undefined
      ? {}
      : { antiReplay: oneOf(sa, "antiReplay", ["on", "off"]) }),
    ...(field(sa, "endsInMs") === undefined ? {} : { endsInMs: number(sa, "endsInMs") }),
  };
}

function readTransforms(transforms: JsonObject): Transforms {
  return {
    encryption: name(transforms, "encryption"),
    integrity: name(transforms, "integrity"),
    dhGroup: name(transforms, "dhGroup"),
  };
}

function readRouting(parent: JsonObject, key: string): Routing {
  const routing = record(parent, key);
  return {
    sessions: list(routing, "sessions", portsMax, readBgp),
    routes: list(routing, "routes", routesMax, readRoute),
    drains: list(routing, "drains", portsMax, (drain) => ({
      port: name(drain, "port"),
      means: oneOf(drain, "means", drainMeans),
    })),
    ...(field(routing, "advertised") === undefined
      ? {}
      : { advertised: list(routing, "advertised", routesMax, readAdvertised) }),
  };
}

function readAdvertised(advertised: JsonObject): OpenAdvertisement {
  return {
    port: name(advertised, "port"),
    peer: name(advertised, "peer"),
    prefix: name(advertised, "prefix"),
  };
}

function readBgp(session: JsonObject): BgpSession {
  return {
    port: name(session, "port"),
    peer: name(session, "peer"),
    up: flag(session, "up"),
    ...(field(session, "trouble") === undefined ? {} : { trouble: sentence(session, "trouble") }),
  };
}

function readRoute(route: JsonObject): Route {
  const via = record(route, "via");
  return {
    prefix: name(route, "prefix"),
    via:
      oneOf(via, "kind", ["port", "tunnel"]) === "port"
        ? { kind: "port", port: name(via, "port") }
        : { kind: "tunnel", name: name(via, "name") },
    best: flag(route, "best"),
  };
}

/** Throws Malformed. */
export function readCapabilities(value: unknown): Capabilities {
  const told = record(recordOf(value, "reply"), "capabilities");
  const macsec = optional(record, told, "macsec");
  const ipsec = optional(record, told, "ipsec");
  const drain = optional(record, told, "drain");
  return {
    commit: readCommit(record(told, "commit")),
    ...(macsec && {
      macsec: {
        suites: namesOf(macsec, "suites", suites),
        overlap: oneOf(macsec, "overlap", ["keychain", "fallback", "none"]),
        counters: oneOf(macsec, "counters", ["perSa", "perPort", "none"]),
        hitless: namesOf(macsec, "hitless", settingNames),
        ...(field(macsec, "freshSak") === true ? { freshSak: true as const } : {}),
      },
    }),
    ...(ipsec && {
      ipsec: {
        keying: namesOf(ipsec, "keying", ["ike"]),
        authentication: namesOf(ipsec, "authentication", ["psk", "certificate"]),
        atomicReplace: flag(ipsec, "atomicReplace"),
        rekeys: namesOf(ipsec, "rekeys", rekeyWhats),
      },
    }),
    ...(drain && {
      drain: {
        means: namesOf(drain, "means", drainMeans),
        settleMs: milliseconds(drain, "settleMs"),
      },
    }),
    ...(field(told, "probe") === true ? { probe: true as const } : {}),
  };
}

function readCommit(commit: JsonObject): CommitMode {
  const kind = oneOf(commit, "kind", ["confirmed", "armedRevert", "immediate"]);
  if (kind !== "confirmed") return { kind };
  return {
    kind,
    survivesDisconnect: flag(commit, "survivesDisconnect"),
    stepMs: milliseconds(commit, "stepMs"),
    maxMs: milliseconds(commit, "maxMs"),
  };
}

function namesOf<T extends string>(
  parent: JsonObject,
  key: string,
  allowed: readonly T[],
): readonly T[] {
  return names(parent, key, keysMax).map((one) => oneOf({ [key]: one }, key, allowed));
}

function uint32(parent: JsonObject, key: string): number {
  return count(parent, key, uint32Max);
}

function milliseconds(parent: JsonObject, key: string): number {
  return count(parent, key, Number.MAX_SAFE_INTEGER);
}

// A rate; a negative one would make a busy port look drained.
function amount(parent: JsonObject, key: string): number {
  const value = number(parent, key);
  if (value < 0) throw new Malformed(key);
  return value;
}
