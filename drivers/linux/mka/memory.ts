// The state that one MKA process leaves to the next, as octets: raw ICKs and KEKs behind the rest,
// never a CAK and never a SAK.

import {
  count,
  type Decoder,
  each,
  field,
  flag,
  list,
  Malformed,
  name,
  number,
  object,
  oneOf,
  optional,
  page,
  property,
  recordOf,
  uint32,
  variants,
} from "#hal/decoder.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import { ckn } from "../../local/state.ts";
import type { MkaMemory, PendingMemory, Undo } from "./control-server.ts";
import type { KeyIdentifier } from "./keys.ts";
import type {
  ActorSnapshot,
  KaySnapshot,
  KeptChannel,
  PeerSnapshot,
  SakSnapshot,
} from "./snapshot.ts";
import type { OwnSettings } from "./staging.ts";

const version = 2;
const manyMax = 64;
const keyNumbers = [16, 32] as const;

/** Encodes the state; `wall` lets the reader compute how long no process ran. */
export function writeMemory(memory: MkaMemory, wall: WallTime): Octets {
  const { settings, pending, snapshot } = memory;
  const actors = snapshot?.actors ?? [];
  const stored = actors.map(({ ckn, mi, mnReserved, kn, peers, ick }) => {
    return { ckn, mi, mnReserved, kn, peers, keyBytes: ick.byteLength };
  });
  const rest = snapshot === undefined ? undefined : { ...snapshot, actors: stored };
  const text = encodeJson({ version, wall, settings, pending, snapshot: rest });
  const json = new TextEncoder().encode(text);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  return [length, json, ...actors.flatMap(({ ick, kek }) => [ick, kek])];
}

/**
 * Decodes the state and wipes the octets.
 * @throws Malformed for the state of another version
 */
export function readMemory(octets: Uint8Array, wall: WallTime): MkaMemory {
  const keys: Secret[] = [];
  try {
    return read(octets, wall, keys);
  } catch (error) {
    for (const key of keys) key[Symbol.dispose]();
    throw error instanceof Malformed ? error : new Malformed("memory");
  } finally {
    octets.fill(0);
  }
}

function read(octets: Uint8Array, wall: WallTime, keys: Secret[]): MkaMemory {
  const { buffer, byteOffset, byteLength } = octets;
  const length = new DataView(buffer, byteOffset, byteLength).getUint32(0);
  if (length > byteLength - 4) throw new Malformed("length");
  const text = new TextDecoder().decode(octets.subarray(4, 4 + length));
  const stored = recordOf(parseJson(text), "memory");
  if (field(stored, "version") !== version) throw new Malformed("version");
  // The time in which no process ran; a clock that was set back counts as no time.
  const goneMs = Math.max(0, wall - property("wall", number)(stored, "memory"));
  let at = 4 + length;
  const take = (label: string, bytes: number): Secret => {
    if (at + bytes > octets.length) throw new Malformed("key");
    const key = Secret.take(label, octets.subarray(at, at + bytes));
    keys.push(key);
    at += bytes;
    return key;
  };
  const memory = memoryAfter(goneMs, take)(stored, "memory");
  if (at !== octets.length) throw new Malformed("length");
  return memory;
}

const hex =
  (bytes: number): Decoder<string> =>
  (value, what) => {
    const text = name(value, what);
    if (text.length === 2 * bytes && /^[0-9a-f]+$/.test(text)) return text;
    throw new Malformed(what);
  };
/** What 0.2.0 did not write yet. */
const orNone =
  <T>(decode: Decoder<readonly T[]>): Decoder<readonly T[]> =>
  (value, what) =>
    value === undefined ? [] : decode(value, what);
const mi = hex(12);
const octet = count(255);
const an = count(3);

const settings = object<OwnSettings>({
  keyServerPriority: octet,
  sakRekeyMs: optional(uint32),
  delayProtection: oneOf(["on", "off"]),
});

const peer = object<PeerSnapshot>({
  mi,
  sci: hex(8),
  mn: uint32,
  ...each(["version", "priority"], octet),
  keyServer: flag,
  kn: uint32,
});

const undo = variants<Undo>({ remove: { ckn }, configure: { settings } });

type TakeKey = (label: string, bytes: number) => Secret;

/**
 * Decodes the state with its times shifted by the time in which no process ran; `take` returns the
 * keys in their order.
 */
function memoryAfter(goneMs: number, take: TakeKey): Decoder<MkaMemory> {
  const passed: Decoder<number> = (value, what) => number(value, what) + goneMs;
  const left: Decoder<number> = (value, what) => Math.max(0, number(value, what) - goneMs);
  const pending = object<PendingMemory>({
    token: name,
    preview: page,
    leftMs: left,
    undo: list(undo, manyMax),
  });
  const keyIdentifier = object<KeyIdentifier>({ mi, kn: uint32 });
  const sak = object<SakSnapshot>({
    slot: oneOf(["latest", "old"]),
    keyIdentifier,
    an,
    ageMs: passed,
    members: list(name, manyMax),
    ssci: optional(uint32),
  });
  const stored = object<Omit<ActorSnapshot, "ick" | "kek">>({
    ckn,
    mi,
    ...each(["mnReserved", "kn"], uint32),
    peers: list(peer, manyMax),
  });
  const actor: Decoder<ActorSnapshot> = (value, what) => {
    const bytes = property("keyBytes", oneOf(keyNumbers))(value, what);
    const keys = { ick: take("IEEE8021 ICK", bytes), kek: take("IEEE8021 KEK", bytes) };
    return { ...stored(value, what), ...keys };
  };
  return object({
    settings,
    pending: optional(pending),
    snapshot: optional(
      object<KaySnapshot>({
        actors: list(actor, manyMax),
        principal: optional(ckn),
        saks: list(sak, 2),
        kept: orNone(list(object<KeptChannel>({ sci: hex(8), leftMs: left }), manyMax)),
        spent: orNone(list(keyIdentifier, manyMax)),
        lastAn: optional(an),
      }),
    ),
  });
}
