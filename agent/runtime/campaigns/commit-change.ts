// One change of a device outside of campaigns: recorded first, applied under the device's own
// timer, proven by an observation, then confirmed.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import { verify } from "../../health/verify.ts";
import type { Desired } from "../../model/desired.ts";
import { type JournalRecord, type PutAuths, pendingPlace } from "../../store/journal/memory.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { withinOf } from "./effects.ts";

/** The parts that a change needs. */
interface CommitParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Pick<Desired, "rotation">;
  readonly deviceCache: Pick<DeviceCache, "device" | "observe">;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  /** Appends to the journal. */
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** A change of a device. */
interface Committed {
  /** The device's name in the config. */
  readonly device: string;
  /** The only tunnel that it changes; undefined = it may change anything. */
  readonly tunnel: string | undefined;
  readonly change: DeviceChange;
  /** Records what it led to: a successor settles a change whose records are not complete. */
  readonly record?: () => Promise<void>;
}

/** The longest duration of one request to a device, in milliseconds. */
const effectMsMax = 60_000;

/** Returns what a change lets tunnels authenticate with; undefined = it puts none. */
export function putsOf(change: DeviceChange): PutAuths | undefined {
  const puts = change.flatMap((part) =>
    part.kind === "ipsec.putTunnel" ? [[part.tunnel.name, part.tunnel.auth] as const] : [],
  );
  return puts.length === 0 ? undefined : Object.fromEntries(puts);
}

/** Runs one request to a device; a timeout has the effect that the caller names. */
export function bounded<T>(
  { world }: Pick<CommitParts, "world">,
  { where, effect }: { readonly where: string; readonly effect: "none" | "unknown" },
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(world.clock, { ms: effectMsMax, where, effect }, signal, act);
}

/**
 * Makes the change and returns the observation that shows it; undefined = the device could not be
 * read, and the change stays pending until a later turn settles it. An abort may leave it pending
 * as well.
 * @throws LinksealError the device's refusal, or `verify.mismatch` if an observation does not show
 * the change; then it was rolled back if the device could.
 */
export async function commitChange(
  parts: CommitParts,
  { device, tunnel, change, record }: Committed,
  signal: AbortSignal,
): Promise<DeviceState | undefined> {
  const { deviceCache, keys, write, desired } = parts;
  const asks = { where: device, effect: "none" } as const;
  const acts = { where: device, effect: "unknown" } as const;
  const session = await bounded(parts, asks, signal, (limit) => deviceCache.device(device, limit));
  const transaction = await bounded(parts, asks, signal, (limit) =>
    session.prepare(change, keys(limit), limit),
  );
  const isAlone = tunnel !== undefined && session.capabilities.ipsec?.parallel === true;
  const place = isAlone ? pendingPlace(device, tunnel) : device;
  const puts = putsOf(change);
  const begun = { kind: "pending", device: place, token: transaction.token } as const;
  await write(puts === undefined ? begun : { ...begun, puts });
  const within = withinOf(session.capabilities.commit, desired.rotation.confirmMs);
  try {
    await bounded(parts, acts, signal, (limit) => transaction.apply(within, limit));
  } catch (error) {
    // A change that reverted itself is no longer pending; any other failure is observed first.
    const isUndone = error instanceof LinksealError && error.effect === "none";
    if (isUndone) await write({ kind: "pending", device: place, token: null });
    throw error;
  }
  const after = await deviceCache.observe(device, signal);
  if (after === undefined) return undefined;
  const gaps = verify(change, after);
  if (gaps.length > 0) {
    if (within !== "final") {
      await bounded(parts, acts, signal, (limit) => transaction.rollback(limit));
    }
    await write({ kind: "pending", device: place, token: null });
    throw new LinksealError("verify.mismatch", gaps.join("; "), {
      effect: within === "final" ? "applied" : "none",
      where: device,
      next: "linkseal plan --accepted",
    });
  }
  if (within !== "final") {
    await bounded(parts, acts, signal, (limit) => transaction.confirm(limit));
  }
  await record?.();
  await write({ kind: "pending", device: place, token: null });
  return after;
}
