// The requests that a simulated site accepts; any other is refused before it reaches the site.

import {
  type DeviceChange,
  type PeerState,
  type PeerWant,
  type PortChange,
  rekeyWhats,
} from "#hal/device.ts";
import { decodeJson } from "#hal/json.ts";
import {
  type CipherSuite,
  type Ckn,
  type DrainMeans,
  type KeyRef,
  parseCkn,
  type Transforms,
  type WantedSettings,
} from "#hal/model.ts";
import type { TunnelAuth, TunnelBgp, TunnelSpec } from "#hal/tunnel-spec.ts";

/** A malformed request; the message names the field that is wrong. */
export class BadRequest extends Error {}

/** The fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];
const drainMeans: readonly DrainMeans[] = ["prepend", "gracefulShutdown", "peeringShutdown"];

/**
 * Parses the body of a request.
 * @throws BadRequest if it is not a JSON object
 */
export function bodyOf(text: string): Fields {
  if (text === "") return {};
  let value: unknown;
  try {
    value = decodeJson(text);
  } catch {
    throw new BadRequest("body");
  }
  return fieldsOf(value, "body");
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadRequest(what);
  }
  return Object.fromEntries(Object.entries(value));
}

function fields(from: Fields, key: string): Fields {
  return fieldsOf(from[key], key);
}

/**
 * Returns a field that must be text.
 * @throws BadRequest if it is not
 */
export function text(from: Fields, key: string): string {
  const value = from[key];
  if (typeof value !== "string" || value === "") throw new BadRequest(key);
  return value;
}

/**
 * Returns a field that must be a whole number of at least 0.
 * @throws BadRequest if it is not
 */
export function whole(from: Fields, key: string): number {
  const value = from[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new BadRequest(key);
  }
  return value;
}

/**
 * Returns a field that must have one of the given values.
 * @throws BadRequest if it has not
 */
export function choice<T extends string | number>(
  from: Fields,
  key: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((one) => one === from[key]);
  if (found === undefined) throw new BadRequest(key);
  return found;
}

function flag(from: Fields, key: string): boolean {
  return choice({ [key]: String(from[key]) }, key, ["true", "false"]) === "true";
}

function texts(from: Fields, key: string): readonly string[] {
  const value = from[key];
  if (!Array.isArray(value)) throw new BadRequest(key);
  return value.map((item: unknown) => text({ [key]: item }, key));
}

function cknOf(from: Fields): Ckn {
  const ckn = parseCkn(text(from, "ckn"));
  if (ckn === undefined) throw new BadRequest("ckn");
  return ckn;
}

function keyOf(from: Fields): KeyRef {
  const key = fields(from, "key");
  return {
    ckn: cknOf(key),
    cakSecretId: text(key, "cakSecretId"),
    cknSecretId: text(key, "cknSecretId"),
  };
}

/**
 * Returns the settings that a far end shall have.
 * @throws BadRequest
 */
export function wantOf(from: Fields): PeerWant {
  const want = fields(from, "want");
  const { over } = want;
  if (over !== undefined && !Array.isArray(over)) throw new BadRequest("over");
  return {
    key: keyOf(want),
    suite: choice(want, "suite", suites),
    sci: choice(want, "sci", ["on", "off"]),
    admin: choice(want, "admin", ["up", "down"]),
    ...(over === undefined ? {} : { over: over.map(idsOf) }),
  };
}

/** In a list, null means MACsec off, because JSON has no `undefined`. */
function idsOf(value: unknown): PeerState["pointsAt"] {
  if (value === null) return undefined;
  const ids = fieldsOf(value, "over");
  return { cakSecretId: text(ids, "cakSecretId"), cknSecretId: text(ids, "cknSecretId") };
}

/**
 * Returns octets by secret id, from the hexadecimal that the driver's transport wrote.
 * @throws BadRequest
 */
export function materialOf(from: Fields): ReadonlyMap<string, Uint8Array> {
  const keys = fields(from, "keys");
  return new Map(
    Object.keys(keys).map((id) => {
      const digits = text(keys, id);
      if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw new BadRequest("keys");
      return [id, Uint8Array.from(Buffer.from(digits, "hex"))];
    }),
  );
}

/**
 * Returns the change of a device.
 * @throws BadRequest
 */
export function changeOf(from: Fields): DeviceChange {
  const change = from["change"];
  if (!Array.isArray(change)) throw new BadRequest("change");
  return change.map((part: unknown) => partOf(fieldsOf(part, "change")));
}

const kinds: readonly PortChange["kind"][] = [
  "macsec.addKey",
  "macsec.promoteKey",
  "macsec.removeKey",
  "macsec.replaceKey",
  "macsec.rekeySak",
  "port.shut",
  "port.open",
  "macsec.protect",
  "ipsec.block",
  "ipsec.putTunnel",
  "ipsec.removeTunnel",
  "ipsec.rekey",
  "port.drain",
  "port.restore",
];

function partOf(part: Fields): PortChange {
  const kind = choice(part, "kind", kinds);
  switch (kind) {
    case "macsec.addKey": {
      const role = choice(part, "role", ["primary", "fallback"]);
      return { kind, port: text(part, "port"), key: keyOf(part), role };
    }
    case "macsec.replaceKey":
      return { kind, port: text(part, "port"), key: keyOf(part) };
    case "macsec.promoteKey":
    case "macsec.removeKey":
      return { kind, port: text(part, "port"), ckn: cknOf(part) };
    case "macsec.rekeySak":
    case "port.shut":
    case "port.open":
      return { kind, port: text(part, "port") };
    case "macsec.protect":
      return { kind, port: text(part, "port"), settings: settingsOf(fields(part, "settings")) };
    case "port.drain":
    case "port.restore":
      return { kind, port: text(part, "port"), means: choice(part, "means", drainMeans) };
    case "ipsec.block":
      return { kind, blocks: [] };
    case "ipsec.putTunnel":
      return { kind, tunnel: tunnelOf(fields(part, "tunnel")) };
    case "ipsec.removeTunnel":
      return { kind, name: text(part, "name") };
    case "ipsec.rekey": {
      const what = choice(part, "what", rekeyWhats);
      return { kind, name: text(part, "name"), what };
    }
  }
}

function settingsOf(settings: Fields): WantedSettings {
  const optional = (key: string): number | undefined =>
    settings[key] === undefined ? undefined : whole(settings, key);
  return {
    suite: choice(settings, "suite", suites),
    includeSci: flag(settings, "includeSci"),
    confidentialityOffset: choice(settings, "confidentialityOffset", [0, 30, 50]),
    keyServerPriority: whole(settings, "keyServerPriority"),
    replayWindow: optional("replayWindow"),
    sakRekeyMs: optional("sakRekeyMs"),
  };
}

function tunnelOf(tunnel: Fields): TunnelSpec {
  return {
    name: text(tunnel, "name"),
    localAddress: text(tunnel, "localAddress"),
    remoteAddress: text(tunnel, "remoteAddress"),
    localPrefixes: texts(tunnel, "localPrefixes"),
    remotePrefixes: texts(tunnel, "remotePrefixes"),
    ike: {
      ...transformsOf(fields(tunnel, "ike")),
      prf: text(fields(tunnel, "ike"), "prf"),
    },
    transforms: transformsOf(fields(tunnel, "transforms")),
    life: {
      seconds: whole(fields(tunnel, "life"), "seconds"),
      kilobytes: whole(fields(tunnel, "life"), "kilobytes"),
    },
    mtu: whole(tunnel, "mtu"),
    ifId: whole(tunnel, "ifId"),
    auth: authOf(fields(tunnel, "auth")),
    ...(tunnel["bgp"] === undefined ? {} : { bgp: bgpOf(fields(tunnel, "bgp")) }),
  };
}

function bgpOf(bgp: Fields): TunnelBgp {
  return { local: text(bgp, "local"), peer: text(bgp, "peer"), asn: whole(bgp, "asn") };
}

function authOf(auth: Fields): TunnelAuth {
  const secretId = text(auth, "secretId");
  const kind = text(auth, "kind");
  if (kind !== "certificate") return { kind: "psk", secretId };
  return { kind, secretId, authoritiesId: text(auth, "authoritiesId"), peer: text(auth, "peer") };
}

function transformsOf(transforms: Fields): Transforms {
  return {
    encryption: text(transforms, "encryption"),
    integrity: text(transforms, "integrity"),
    dhGroup: text(transforms, "dhGroup"),
  };
}

const tagsMax = 15;

/** @throws BadRequest unless the field `tags` is one that a vault takes */
export function tagsOf(fields: Fields): Readonly<Record<string, string>> {
  const { tags } = fields;
  if (typeof tags !== "object" || tags === null) throw new BadRequest("tags");
  const pairs = Object.entries(tags).map(([key, value]): [string, string] => {
    if (typeof value !== "string" || value.length > 512) throw new BadRequest("tags");
    return [key, value];
  });
  if (pairs.length > tagsMax) throw new BadRequest("tags");
  return Object.fromEntries(pairs);
}
