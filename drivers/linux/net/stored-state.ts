// The undo log: what linkseal-net must still know after a crash, within the same boot; it never
// contains a key.

import {
  absent,
  count,
  type Decoder,
  dictionary,
  each,
  list,
  Malformed,
  name,
  object,
  oneOf,
  optional,
  page,
} from "#hal/decoder.ts";
import type { TransactionToken } from "#hal/device.ts";
import type { PortName } from "#hal/model.ts";
import type { Log, WallTime } from "#hal/world.ts";
import { wallTime } from "../../local/state.ts";
import { bodiesMax, bodyBytesMax, type LinkSnapshot } from "./link-snapshot.ts";
import type { Stack } from "./move.ts";
import { type NetOperation, readOperation, type SecyWish, secyWish } from "./operation.ts";
import { decodeStored } from "./stored.ts";

/** The name of the undo log's file. */
export const stateName = "net-state";

export interface Pending {
  readonly token: TransactionToken;
  readonly preview: string;
  readonly undo: readonly NetOperation[];
  readonly revertsAt: WallTime;
  readonly within: number;
  /** `half`: a process died in the middle of the change, so it is never confirmed. */
  readonly extent: "half" | "whole";
}

export interface StoredState {
  readonly bootId: string;
  readonly pending: Pending | undefined;
  /** The snapshots of ports that were shut. */
  readonly keepsakes: Readonly<Record<PortName, ShutPort>>;
  /** The stacks of ports whose SecY is being made or removed. */
  readonly moves: Readonly<Record<PortName, Move>>;
  /** The SecYs that linkseal-net made; a boot removes them, and they are made again after it. */
  readonly standing: Readonly<Record<PortName, SecyWish>>;
  /** Ports whose SecY is to be made again since the boot. */
  readonly due: readonly PortName[];
}

interface ShutPort extends LinkSnapshot {
  /** Links on the port that were down before it. */
  readonly down: readonly string[];
}

interface Move {
  /** The operation that completes the move. */
  readonly part: Extract<NetOperation, { readonly kind: "macsec.protect" | "macsec.unprotect" }>;
  readonly stack: Stack;
}

export function emptyState(bootId: string): StoredState {
  return { bootId, pending: undefined, keepsakes: {}, moves: {}, standing: {}, due: [] };
}

/**
 * Returns what is left of the undo log after a boot: a change that waited for its confirmation does
 * not survive one.
 */
export function afterBoot({ pending, standing: before }: StoredState, bootId: string): StoredState {
  const standing = { ...before };
  for (const part of pending?.undo ?? []) {
    if (part.kind === "macsec.protect") standing[part.port] = part.settings;
    if (part.kind === "macsec.unprotect") delete standing[part.port];
  }
  return { ...emptyState(bootId), standing, due: Object.keys(standing) };
}

const operationsMax = 64;
const linksMax = 8_192;
const portsMax = 512;

const pendingAt = object<Pending>({
  token: name as Decoder<TransactionToken>,
  preview: page,
  undo: list(readOperation, operationsMax),
  revertsAt: wallTime,
  within: count(Number.MAX_SAFE_INTEGER),
  extent: oneOf(["half", "whole"]),
});

const body: Decoder<string> = (value, what) => {
  if (typeof value === "string" && value.length <= 2 * bodyBytesMax) {
    if (/^(?:[0-9a-f]{2})+$/.test(value)) return value;
  }
  throw new Malformed(what);
};
const keepsake = each(["addresses", "routes"], list(body, bodiesMax));

const link = object<Stack[number]>({
  name,
  index: count(2 ** 31),
  mtu: count(2 ** 31),
  admin: oneOf(["up", "down"]),
  vrf: absent(name),
  vlan: absent(object({ id: count(4095), protocol: name, below: name })),
  keepsake: object(keepsake),
});

const moveOperation: Decoder<Move["part"]> = (value, what) => {
  const part = readOperation(value);
  if (part.kind === "macsec.protect" || part.kind === "macsec.unprotect") return part;
  throw new Malformed(what);
};

const stateAt = object<StoredState>({
  bootId: name,
  pending: optional(pendingAt),
  keepsakes: dictionary(object({ ...keepsake, down: list(name, linksMax) })),
  moves: dictionary(object({ part: moveOperation, stack: list(link, operationsMax) })),
  standing: dictionary(secyWish),
  due: list(name, portsMax),
});

/**
 * Reads the undo log. An unreadable file is logged and counts as empty: all of it can be read from
 * the kernel.
 */
export function readStoredState(octets: Uint8Array | undefined, log: Log): StoredState {
  const state = decodeStored(octets, stateName, stateAt, log, "what was pending before");
  return state ?? emptyState("");
}
