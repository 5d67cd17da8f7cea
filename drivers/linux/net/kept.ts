// What linkseal-net must still know after a crash, since the same boot; no key is in it.

import type { TransactionToken } from "#hal/device.ts";
import { parseJson } from "#hal/json.ts";
import type { PortName } from "#hal/model.ts";
import type { Log, WallTime } from "#hal/world.ts";
import {
  count,
  field,
  type JsonObject,
  list,
  Malformed,
  name,
  names,
  number,
  oneOf,
  page,
  record,
  recordOf,
} from "../../local/shape.ts";
import { bodiesMax, bodyBytesMax, type Keepsake } from "./keepsake.ts";
import type { Stack } from "./move.ts";
import { type NetPart, readPart, readWish, type SecyWish } from "./part.ts";

export const stateName = "net-state";

export interface Pending {
  readonly token: TransactionToken;
  readonly preview: string;
  readonly undo: readonly NetPart[];
  readonly revertsAt: WallTime;
  readonly within: number;
  /** `half`: somebody died in its middle, so it is never confirmed. */
  readonly extent: "half" | "whole";
}

export interface Kept {
  readonly bootId: string;
  readonly pending: Pending | undefined;
  /** Of ports that were shut. */
  readonly keepsakes: Readonly<Record<PortName, ShutPort>>;
  /** Of ports whose SecY is being made or unmade: what goes along. */
  readonly moves: Readonly<Record<PortName, Move>>;
  /** The SecYs that stand by our doing; a boot takes them, and they are made again after it. */
  readonly standing: Readonly<Record<PortName, SecyWish>>;
  /** Ports whose SecY is to be made again since the boot. */
  readonly due: readonly PortName[];
}

interface ShutPort extends Keepsake {
  /** Links on the port that were down before it. */
  readonly down: readonly string[];
}

interface Move {
  /** What brings it to its end. */
  readonly part: Extract<NetPart, { readonly kind: "macsec.protect" | "macsec.unprotect" }>;
  readonly stack: Stack;
}

export function noneKept(bootId: string): Kept {
  return { bootId, pending: undefined, keepsakes: {}, moves: {}, standing: {}, due: [] };
}

/** What is left of it after a boot: what waited for its confirm does not survive one. */
export function afterBoot({ pending, standing: before }: Kept, bootId: string): Kept {
  const standing = { ...before };
  for (const part of pending?.undo ?? []) {
    if (part.kind === "macsec.protect") standing[part.port] = part.settings;
    if (part.kind === "macsec.unprotect") delete standing[part.port];
  }
  return { ...noneKept(bootId), standing, due: Object.keys(standing) };
}

/** A file that makes no sense is told and counts as none: all of it can be seen at the device. */
export function readKept(octets: Uint8Array | undefined, log: Log): Kept {
  if (octets === undefined) return noneKept("");
  try {
    const kept = recordOf(parseJson(new TextDecoder().decode(octets)), stateName);
    return {
      bootId: name(kept, "bootId"),
      pending: field(kept, "pending") === undefined ? undefined : readPending(kept),
      keepsakes: Object.fromEntries(
        Object.keys(record(kept, "keepsakes")).map((port) => [
          port,
          readShutPort(record(record(kept, "keepsakes"), port)),
        ]),
      ),
      moves: Object.fromEntries(
        Object.keys(record(kept, "moves")).map((port) => [
          port,
          readMove(record(record(kept, "moves"), port)),
        ]),
      ),
      standing: Object.fromEntries(
        Object.keys(record(kept, "standing")).map((port) => [
          port,
          readWish(record(record(kept, "standing"), port)),
        ]),
      ),
      due: names(kept, "due", portsMax),
    };
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof SyntaxError)) throw error;
    log.write("error", "state-unreadable", "what was pending before is not known any more");
    return noneKept("");
  }
}

const partsMax = 64;
const linksMax = 8_192;
const portsMax = 512;

function readPending(kept: JsonObject): Pending {
  const pending = record(kept, "pending");
  return {
    token: name(pending, "token") as TransactionToken,
    preview: page(pending, "preview"),
    undo: list(pending, "undo", partsMax, readPart),
    revertsAt: number(pending, "revertsAt") as WallTime,
    within: count(pending, "within", Number.MAX_SAFE_INTEGER),
    extent: oneOf(pending, "extent", ["half", "whole"]),
  };
}

function readMove(move: JsonObject): Move {
  return {
    part: secyPart(readPart(record(move, "part"))),
    stack: list(move, "stack", partsMax, (link) => ({
      name: name(link, "name"),
      index: count(link, "index", 2 ** 31),
      mtu: count(link, "mtu", 2 ** 31),
      admin: oneOf(link, "admin", ["up", "down"]),
      ...(field(link, "vrf") === undefined ? {} : { vrf: name(link, "vrf") }),
      ...(field(link, "vlan") === undefined ? {} : { vlan: readVlan(record(link, "vlan")) }),
      keepsake: readKeepsake(record(link, "keepsake")),
    })),
  };
}

function secyPart(part: NetPart): Move["part"] {
  if (part.kind === "macsec.protect" || part.kind === "macsec.unprotect") return part;
  throw new Malformed("part");
}

function readVlan(vlan: JsonObject) {
  return {
    id: count(vlan, "id", 4095),
    protocol: name(vlan, "protocol"),
    below: name(vlan, "below"),
  };
}

function readShutPort(port: JsonObject): ShutPort {
  return { ...readKeepsake(port), down: names(port, "down", linksMax) };
}

function readKeepsake(keepsake: JsonObject): Keepsake {
  return { addresses: bodies(keepsake, "addresses"), routes: bodies(keepsake, "routes") };
}

function bodies(keepsake: JsonObject, key: string): readonly string[] {
  const value = field(keepsake, key);
  const isBody = (item: unknown): item is string =>
    typeof item === "string" && /^(?:[0-9a-f]{2})+$/.test(item) && item.length <= 2 * bodyBytesMax;
  if (!Array.isArray(value) || value.length > bodiesMax || !value.every(isBody)) {
    throw new Malformed(key);
  }
  return value;
}
