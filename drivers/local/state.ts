// Decodes an observation that came over a socket; every field is checked before any is used.

import {
  absent,
  count,
  counter,
  type Decoder,
  each,
  field,
  flag,
  list,
  Malformed,
  marked,
  name,
  number,
  object,
  oneOf,
  optional,
  property,
  recordOf,
  sentence,
  uint32,
  variants,
} from "#hal/decoder.ts";
import { type Capabilities, rekeyWhats } from "#hal/device.ts";
import {
  type BackedPrefix,
  bfdStates,
  type Ckn,
  type ControlPlane,
  type DeviceState,
  failOpenWays,
  type IpsecSa,
  type IpsecTunnel,
  ikeStates,
  type KeySlot,
  keyAgreements,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  type MkpduCounters,
  natPlaces,
  type OpenedPrefix,
  type PortRate,
  parseCkn,
  type Reading,
  type Route,
  type Routing,
  type Sak,
  type TunnelGap,
  type TunnelSession,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";

const portsMax = 512;
const tunnelsMax = 512;
const keysMax = 16;
/** Two for each prefix, and the interface's own. */
const gapsMax = 8_200;
const sasMax = 64;
const routesMax = 4096;

/** A cipher suite of MACsec. */
export const suite = oneOf(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"]);
const means = oneOf(["prepend", "gracefulShutdown", "peeringShutdown"]);
const readingKind = oneOf(["known", "unknown"]);
const why = oneOf(["notSupported", "queryFailed", "unparsed", "contradicted"]);
const milliseconds = count(Number.MAX_SAFE_INTEGER);
/** A time of day in milliseconds. */
export const wallTime = number as Decoder<WallTime>;

// A rate; a negative one would make a busy port look drained.
const amount: Decoder<number> = (value, what) => {
  if (number(value, what) >= 0) return Number(value);
  throw new Malformed(what);
};

/** A CKN in the form of the model. */
export const ckn: Decoder<Ckn> = (value, what) => {
  const parsed = parseCkn(name(value, what));
  if (parsed === undefined) throw new Malformed(what);
  return parsed;
};

const settingFields = {
  suite,
  policy: oneOf(["mustSecure", "shouldSecure"]),
  includeSci: flag,
  confidentialityOffset: oneOf([0, 30, 50]),
  keyServerPriority: count(255),
  replayWindow: optional(uint32),
  sakRekeyMs: optional(milliseconds),
};
/** The MACsec settings of a port. */
export const settings = object<MacsecSettings>(settingFields);
const settingNames = Object.keys(settingFields) as (keyof MacsecSettings)[];

/** The keys of a port. */
export const keySlots = list(
  object<KeySlot>({
    ckn,
    role: oneOf(["primary", "fallback", "scheduled"]),
    startsAt: absent(wallTime),
  }),
  keysMax,
);

const sak = object<Sak>({ an: count(3), keyId: name, receive: flag, transmit: flag });

/** The MKA session of a port. */
export const session = object<MkaSession>({
  controlledPort: oneOf(["secured", "unprotected", "blocked"]),
  principalCkn: optional(ckn),
  participants: list(
    object({
      ckn,
      state: oneOf(["live", "active", "none"]),
      ...each(["livePeers", "potentialPeers"], uint32),
    }),
    keysMax,
  ),
  ...each(["livePeers", "respondedPeers"], uint32),
  keyServer: oneOf(["self", "peer", "none"]),
  keyServerPriority: optional(uint32),
  ...each(["latestSak", "oldSak"], optional(sak)),
});

/** The MKPDU counters of a port. */
export const mkpdus = object<MkpduCounters>({
  ...each(["sent", "received"], counter),
  ...each(["icvFailed", "unknownCkn", "replayed"], optional(counter)),
});

const frames = object<MacsecFrames>({
  txProtected: counter,
  ...each(["txClear", "txTooLong"], optional(counter)),
  rxOk: counter,
  ...each(["rxOctetsValidated", "rxOctetsDecrypted"], absent(optional(counter))),
  ...each(["rxClear", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci"], optional(counter)),
  ...each(["rxUnknownSci", "rxNotUsingSa", "rxUnusedSa", "nextPn"], optional(counter)),
});

const rate = object<PortRate>(each(["rxPps", "txPps", "rxBps", "txBps", "lineBps"], amount));

const sas = list(
  object<IpsecSa>({
    spi: uint32,
    direction: oneOf(["in", "out"]),
    phase: oneOf(["installed", "rekeying", "rekeyed", "deleting"]),
    transforms: object(each(["encryption", "integrity", "dhGroup"], name)),
    packets: counter,
    sequence: optional(counter),
    antiReplay: absent(oneOf(["on", "off"])),
    endsInMs: absent(number),
  }),
  sasMax,
);

const routes = list(
  object<Route>({
    prefix: name,
    via: variants({ port: { port: name }, tunnel: { name } }),
    best: flag,
  }),
  routesMax,
);

const routing = object<Routing>({
  sessions: list(
    object({
      ...{ port: name, peer: name, up: flag, trouble: absent(sentence) },
      ...{ bfd: absent(oneOf(bfdStates)), holdMs: absent(number) },
    }),
    portsMax,
  ),
  tunnelSessions: absent(
    list(
      object<TunnelSession>({
        ...{ tunnel: name, peer: name, asn: uint32, up: flag, trouble: absent(sentence) },
      }),
      tunnelsMax,
    ),
  ),
  routes,
  drains: list(object({ port: name, means }), portsMax),
  advertised: absent(list(object(each(["port", "peer", "prefix"], name)), routesMax)),
});

const backed = list(
  object<BackedPrefix>({ prefix: name, ...each(["ports", "open"], list(name, portsMax)) }),
  routesMax,
);

const opened = list(object<OpenedPrefix>({ prefix: name, by: sentence }), routesMax);

const control = object<ControlPlane>({
  wall: wallTime,
  ...each(["bootId", "configId"], name),
  commitPending: flag,
});

const gapKind = oneOf(["closed", "mtu", "outer"]);
const gaps = list(object<TunnelGap>({ kind: gapKind, text: sentence }), gapsMax);

// Two entries for one port or tunnel would let the reader pick the nicer one.
const distinct =
  <K extends string, T extends Readonly<Record<K, string>>>(
    key: K,
    max: number,
    decode: Decoder<T>,
  ): Decoder<readonly T[]> =>
  (value, what) => {
    const items = list(decode, max)(value, what);
    if (new Set(items.map((item) => item[key])).size === items.length) return items;
    throw new Malformed("names");
  };

/**
 * The interval of an exchange by our own clock: when the request left and when its answer arrived.
 */
export interface Asked {
  readonly from: Instant;
  readonly to: Instant;
}

/**
 * Decodes an observation. Instants outside the exchange are moved into it, so that no device can
 * look fresher than it is.
 * @throws Malformed
 */
export function readState(value: unknown, device: string, asked: Asked): DeviceState {
  const state = recordOf(value, "state");
  if (name(field(state, "device"), "device") !== device) throw new Malformed("device");
  const reported = number(field(state, "at"), "at");
  const at = Math.min(Math.max(reported, asked.from), asked.to) as Instant;
  return { device, at, ...readingsMoved(at - reported, at)(state, "state") };
}

function readingsMoved(by: number, max: Instant): Decoder<Omit<DeviceState, "device" | "at">> {
  const reading =
    <T>(decode: Decoder<T>): Decoder<Reading<T>> =>
    (value, what) => {
      const reported = recordOf(value, what);
      const at = Math.min(number(field(reported, "at"), "at") + by, max) as Instant;
      if (readingKind(field(reported, "kind"), "kind") === "unknown") {
        return { kind: "unknown", why: why(field(reported, "why"), "why"), at };
      }
      const known = {
        kind: "known",
        value: decode(field(reported, "value"), "value"),
        at,
      } as const;
      return field(reported, "weak") === undefined ? known : { ...known, weak: true };
    };
  const port = object<MacsecPort>({
    port: name,
    admin: reading(oneOf(["up", "down"])),
    linkUp: reading(flag),
    settings: reading(optional(settings)),
    liveSuite: reading(optional(suite)),
    keys: reading(keySlots),
    session: reading(session),
    mkpdus: reading(mkpdus),
    frames: reading(frames),
    rate: reading(rate),
    failOpen: absent(reading(list(oneOf(failOpenWays), keysMax))),
    keyAgreement: absent(reading(oneOf(keyAgreements))),
  });
  const tunnel = object<IpsecTunnel>({
    name,
    ike: reading(oneOf(ikeStates)),
    trouble: absent(sentence),
    nat: absent(oneOf(natPlaces)),
    gaps: absent(gaps),
    sas: reading(sas),
  });
  return object({
    control: reading(control),
    macsec: distinct("port", portsMax, port),
    ipsec: distinct("name", tunnelsMax, tunnel),
    blocked: absent(reading(list(name, routesMax))),
    backed: absent(reading(backed)),
    opened: absent(opened),
    ways: absent(reading(routes)),
    routing: reading(routing),
  });
}

/** Decodes the capabilities in a reply. */
export const readCapabilities = property(
  "capabilities",
  object<Capabilities>({
    commit: variants({
      confirmed: {
        confirmedBy: oneOf(["anySession", "ownSession"]),
        ...each(["stepMs", "maxMs"], milliseconds),
      },
      armedRevert: {},
      immediate: {},
    }),
    macsec: absent(
      object({
        suites: list(suite, keysMax),
        overlap: oneOf(["keychain", "fallback", "none"]),
        counters: oneOf(["perSa", "perPort", "none"]),
        hitless: list(oneOf(settingNames), keysMax),
        freshSak: marked,
      }),
    ),
    ipsec: absent(
      object({
        keying: list(oneOf(["ike"]), keysMax),
        authentication: list(oneOf(["psk", "certificate"]), keysMax),
        atomicReplace: flag,
        rekeys: list(oneOf(rekeyWhats), keysMax),
      }),
    ),
    drain: absent(object({ means: list(means, keysMax), settleMs: milliseconds })),
    probe: marked,
  }),
);
