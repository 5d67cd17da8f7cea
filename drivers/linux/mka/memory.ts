// What one MKA process leaves to the next, as octets: ICKs and KEKs raw behind the rest, never a
// CAK and never a SAK.

import { encodeJson, parseJson } from "#hal/json.ts";
import { type Ckn, parseCkn } from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import {
  count,
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
  page,
  record,
  recordOf,
} from "../../local/shape.ts";
import type { MkaMemory, PendingMemory, Undo } from "./desk.ts";
import type { ActorSnapshot, KaySnapshot, PeerSnapshot, SakSnapshot } from "./snapshot.ts";
import type { OwnSettings } from "./staging.ts";

const version = 2;
const uint32Max = 2 ** 32 - 1;
const manyMax = 64;
const keyNumbers = [16, 32] as const;

export function writeMemory(memory: MkaMemory, wall: WallTime): Octets {
  const { settings, pending, snapshot } = memory;
  const actors = snapshot?.actors ?? [];
  const told = actors.map(({ ckn, mi, mnReserved, kn, peers, ick }) => {
    return { ckn, mi, mnReserved, kn, peers, keyBytes: ick.byteLength };
  });
  const rest = snapshot === undefined ? undefined : { ...snapshot, actors: told };
  const text = encodeJson({ version, wall, settings, pending, snapshot: rest });
  const json = new TextEncoder().encode(text);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  return [length, json, ...actors.flatMap(({ ick, kek }) => [ick, kek])];
}

/** Throws Malformed for what another version wrote. Wipes the octets. */
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
  const told = recordOf(parseJson(text), "memory");
  if (field(told, "version") !== version) throw new Malformed("version");
  // The time in which nobody was there; a clock that was set back tells of none.
  const goneMs = Math.max(0, wall - number(told, "wall"));
  let at = 4 + length;
  const take = (label: string, bytes: number): Secret => {
    if (at + bytes > octets.length) throw new Malformed("key");
    const key = Secret.take(label, octets.subarray(at, at + bytes));
    keys.push(key);
    at += bytes;
    return key;
  };
  const memory = {
    settings: readOwnSettings(record(told, "settings")),
    pending: optional((parent, key) => readPending(record(parent, key), goneMs), told, "pending"),
    snapshot: optional(
      (parent, key) => readSnapshot(record(parent, key), goneMs, take),
      told,
      "snapshot",
    ),
  };
  if (at !== octets.length) throw new Malformed("length");
  return memory;
}

function readOwnSettings(settings: JsonObject): OwnSettings {
  return {
    keyServerPriority: count(settings, "keyServerPriority", 255),
    sakRekeyMs: optional(uint32, settings, "sakRekeyMs"),
    delayProtection: oneOf(settings, "delayProtection", ["on", "off"]),
  };
}

function readPending(pending: JsonObject, goneMs: number): PendingMemory {
  return {
    token: name(pending, "token"),
    preview: page(pending, "preview"),
    leftMs: Math.max(0, number(pending, "leftMs") - goneMs),
    undo: list(pending, "undo", manyMax, readUndo),
  };
}

function readUndo(undo: JsonObject): Undo {
  const kind = oneOf(undo, "kind", ["remove", "configure"]);
  return kind === "remove"
    ? { kind, ckn: readCkn(undo, "ckn") }
    : { kind, settings: readOwnSettings(record(undo, "settings")) };
}

type TakeKey = (label: string, bytes: number) => Secret;

function readSnapshot(snapshot: JsonObject, goneMs: number, take: TakeKey): KaySnapshot {
  return {
    actors: list(snapshot, "actors", manyMax, (actor) => readActor(actor, take)),
    principal: optional(readCkn, snapshot, "principal"),
    saks: list(snapshot, "saks", 2, (sak) => readSak(sak, goneMs)),
    lastAn: optional((parent, key) => count(parent, key, 3), snapshot, "lastAn"),
  };
}

function readActor(actor: JsonObject, take: TakeKey): ActorSnapshot {
  const bytes = oneOf(actor, "keyBytes", keyNumbers);
  return {
    ckn: readCkn(actor, "ckn"),
    ick: take("IEEE8021 ICK", bytes),
    kek: take("IEEE8021 KEK", bytes),
    mi: readMi(actor, "mi"),
    mnReserved: uint32(actor, "mnReserved"),
    kn: uint32(actor, "kn"),
    peers: list(actor, "peers", manyMax, readPeer),
  };
}

function readPeer(peer: JsonObject): PeerSnapshot {
  return {
    mi: readMi(peer, "mi"),
    sci: readHex(peer, "sci", 8),
    mn: uint32(peer, "mn"),
    version: count(peer, "version", 255),
    priority: count(peer, "priority", 255),
    keyServer: flag(peer, "keyServer"),
    kn: uint32(peer, "kn"),
  };
}

function readSak(sak: JsonObject, goneMs: number): SakSnapshot {
  const key = record(sak, "keyIdentifier");
  return {
    slot: oneOf(sak, "slot", ["latest", "old"]),
    keyIdentifier: { mi: readMi(key, "mi"), kn: uint32(key, "kn") },
    an: count(sak, "an", 3),
    ageMs: number(sak, "ageMs") + goneMs,
    members: names(sak, "members", manyMax),
    ssci: optional(uint32, sak, "ssci"),
  };
}

function uint32(parent: JsonObject, key: string): number {
  return count(parent, key, uint32Max);
}

function readMi(parent: JsonObject, key: string): string {
  return readHex(parent, key, 12);
}

function readHex(parent: JsonObject, key: string, bytes: number): string {
  const text = name(parent, key);
  if (text.length !== 2 * bytes || !/^[0-9a-f]+$/.test(text)) throw new Malformed(key);
  return text;
}

function readCkn(parent: JsonObject, key: string): Ckn {
  const ckn = parseCkn(name(parent, key));
  if (ckn === undefined) throw new Malformed(key);
  return ckn;
}
