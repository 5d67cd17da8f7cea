// What linkseal-net must still know after a crash, since the same boot; no key is in it.

import type { TransactionToken } from "#hal/device.ts";
import type { PortName } from "#hal/model.ts";
import type { Log, WallTime } from "#hal/world.ts";
import {
  count,
  field,
  type JsonObject,
  list,
  Malformed,
  name,
  number,
  oneOf,
  page,
  record,
  recordOf,
} from "../../local/shape.ts";
import type { Keepsake } from "./keepsake.ts";
import type { NetPart } from "./part.ts";

export const stateName = "net-state";

interface Pending {
  readonly token: TransactionToken;
  readonly preview: string;
  readonly undo: readonly NetPart[];
  readonly revertsAt: WallTime;
  readonly within: number;
}

export interface Kept {
  readonly bootId: string;
  readonly pending: Pending | undefined;
  /** Of ports that were shut. */
  readonly keepsakes: Readonly<Record<PortName, Keepsake>>;
}

export function noneKept(bootId: string): Kept {
  return { bootId, pending: undefined, keepsakes: {} };
}

/** A file that makes no sense is told and counts as none: all of it can be seen at the device. */
export function readKept(octets: Uint8Array | undefined, log: Log): Kept {
  if (octets === undefined) return noneKept("");
  try {
    const kept = recordOf(JSON.parse(new TextDecoder().decode(octets)), stateName);
    return {
      bootId: name(kept, "bootId"),
      pending: field(kept, "pending") === undefined ? undefined : readPending(kept),
      keepsakes: Object.fromEntries(
        Object.keys(record(kept, "keepsakes")).map((port) => [
          port,
          readKeepsake(record(record(kept, "keepsakes"), port)),
        ]),
      ),
    };
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof SyntaxError)) throw error;
    log.write("error", "state-unreadable", "what was pending before is not known any more");
    return noneKept("");
  }
}

const partsMax = 64;
const linesMax = 10_000;

function readPending(kept: JsonObject): Pending {
  const pending = record(kept, "pending");
  return {
    token: name(pending, "token") as TransactionToken,
    preview: page(pending, "preview"),
    undo: list(pending, "undo", partsMax, (part) => ({
      kind: oneOf(part, "kind", ["port.shut", "port.open"]),
      port: name(part, "port"),
    })),
    revertsAt: number(pending, "revertsAt") as WallTime,
    within: count(pending, "within", Number.MAX_SAFE_INTEGER),
  };
}

function readKeepsake(keepsake: JsonObject): Keepsake {
  return { addresses: bodies(keepsake, "addresses"), routes: bodies(keepsake, "routes") };
}

function bodies(keepsake: JsonObject, key: string): readonly string[] {
  const value = field(keepsake, key);
  const isBody = (item: unknown): item is string =>
    typeof item === "string" && /^(?:[0-9a-f]{2}){1,4096}$/.test(item);
  if (!Array.isArray(value) || value.length > linesMax || !value.every(isBody)) {
    throw new Malformed(key);
  }
  return value;
}
