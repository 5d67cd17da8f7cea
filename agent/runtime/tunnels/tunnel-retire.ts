// Removes a tunnel that no config names any more from its device. Its prefixes stay blocked if the
// device has blocks: only `linkseal guard --release` opens a prefix.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import { blocksOf, type MadeTunnel } from "../../compare/tunnel-change.ts";
import { verify } from "../../health/verify.ts";
import type { Desired, RiskName } from "../../model/desired.ts";
import { type JournalRecord, type Memory, named } from "../../store/journal/memory.ts";
import { withinOf } from "../campaigns/effects.ts";
import type { DeviceCache } from "../polling/device-cache.ts";

/** The parts that the retirement of a tunnel needs. */
export interface RetireParts {
  /** The clock. */
  readonly world: Pick<World, "clock">;
  /** The accepted config. */
  readonly desired: Desired;
  /** The device cache. */
  readonly deviceCache: Pick<DeviceCache, "observe" | "device" | "state">;
  /** The state that the journal's records add up to. */
  readonly memory: () => Memory;
  /** A tunnel as it was last applied. */
  readonly made: MadeTunnel;
  /** Appends to the journal. */
  readonly write: (record: JournalRecord) => Promise<void>;
  /** Returns true if a campaign runs on a group of that device. */
  readonly inCampaign: (device: string) => boolean;
}

/** The result of a retirement. */
export interface RetiredTunnel {
  /** The tunnel's name. */
  readonly retired: string;
  /** The device; null = it is in no config, and nothing was changed there. */
  readonly device: string | null;
  /** Its prefixes that stay blocked on the device. */
  readonly blocked: readonly string[];
}

const effectMsMax = 60_000;

/**
 * Removes and forgets a tunnel. An abort may leave the change pending; the next turn settles it.
 * @throws LinksealError before anything is sent if it may not be retired, else the device's
 * refusal.
 */
export async function retireTunnel(
  parts: RetireParts,
  name: string,
  risks: readonly RiskName[],
  signal: AbortSignal,
): Promise<RetiredTunnel> {
  const { desired, memory, made, write } = parts;
  if (desired.tunnels.some((tunnel) => tunnel.name === name)) {
    const next = "take it out of the config, then linkseal apply FILE";
    throw refused("usage", name, "the accepted config names it", next);
  }
  if (named(memory().tunnels, name) === undefined) {
    throw refused(
      "usage",
      name,
      "linkseal has no tunnel of that name to let go",
      "linkseal status",
    );
  }
  const device = deviceOf(parts, name);
  if (device === undefined) {
    await write({ kind: "forgetTunnel", name });
    return { retired: name, device: null, blocked: [] };
  }
  const before = made(name);
  await remove(parts, { name, device }, risks, signal);
  await write({ kind: "forgetTunnel", name });
  const state = parts.deviceCache.state(device);
  const blocked = state?.blocked === undefined ? [] : (strongValue(state.blocked) ?? []);
  const own = before === undefined ? [] : blocksOf(before).map(({ prefix }) => prefix);
  return { retired: name, device, blocked: own.filter((prefix) => blocked.includes(prefix)) };
}

/** The device on which it was last applied; else the only device of the config that shows it. */
function deviceOf({ desired, deviceCache, made }: RetireParts, name: string): string | undefined {
  const isKnown = (device: string): boolean => desired.devices.some((one) => one.name === device);
  const device = made(name)?.device;
  if (device !== undefined) return isKnown(device) ? device : undefined;
  const shown = desired.devices.filter((one) =>
    deviceCache.state(one.name)?.ipsec.some((tunnel) => tunnel.name === name),
  );
  return shown.length === 1 ? shown[0]?.name : undefined;
}

interface Leaving {
  readonly name: string;
  readonly device: string;
}

async function remove(
  parts: RetireParts,
  { name, device }: Leaving,
  risks: readonly RiskName[],
  signal: AbortSignal,
): Promise<void> {
  const { world, deviceCache, memory, desired, write, inCampaign } = parts;
  const bounded = <T>(effect: "none" | "unknown", act: (limit: AbortSignal) => Promise<T>) =>
    withDeadline(world.clock, { ms: effectMsMax, where: device, effect }, signal, act);
  const state = await deviceCache.observe(device, signal);
  if (state === undefined)
    throw refused("gate.stale", name, `${device} cannot be read`, retry(name));
  const isPending = strongValue(state.control)?.commitPending !== false;
  if (isPending || named(memory().pending, device) !== undefined) {
    throw refused("gate.busy", name, `a change of ${device} is not confirmed yet`, retry(name));
  }
  if (inCampaign(device)) {
    throw refused("gate.busy", name, `a campaign runs on ${device}`, "linkseal rotation show");
  }
  if (!state.ipsec.some((tunnel) => tunnel.name === name)) return;
  const session = await bounded("none", (limit) => deviceCache.device(device, limit));
  const { commit, ipsec } = session.capabilities;
  if (ipsec?.blocks !== true && !risks.includes("clearAfterRetire")) {
    const why = `${device} blocks nothing: what ${name} protects may leave in the clear without it`;
    const next = `${retry(name)} --accept-risk=clear-after-retire`;
    throw refused("gate.riskNotAccepted", name, why, next);
  }
  const change = [{ kind: "ipsec.removeTunnel", name }] as const;
  const noKeys = () => Promise.reject(new Error("a removal has no key"));
  const transaction = await bounded("none", (limit) => session.prepare(change, noKeys, limit));
  await write({ kind: "pending", device, token: transaction.token });
  const within = withinOf(commit, desired.rotation.confirmMs);
  try {
    await bounded("unknown", (limit) => transaction.apply(within, limit));
  } catch (error) {
    // A change that reverted itself is no longer pending; any other failure is observed first.
    const isUndone = error instanceof LinksealError && error.effect === "none";
    if (isUndone) await write({ kind: "pending", device, token: null });
    throw error;
  }
  if (within !== "final") await bounded("unknown", (limit) => transaction.confirm(limit));
  await write({ kind: "pending", device, token: null });
  const after = await deviceCache.observe(device, signal);
  const gaps = after === undefined ? [`${device} cannot be read`] : verify(change, after);
  if (gaps.length === 0) return;
  throw new LinksealError("verify.mismatch", gaps.join("; "), {
    ...{ effect: "applied", where: name, next: retry(name) },
  });
}

const retry = (name: string): string => `linkseal retire tunnel ${name}`;

function refused(
  code: "usage" | "gate.busy" | "gate.stale" | "gate.riskNotAccepted",
  where: string,
  why: string,
  next: string,
): LinksealError {
  const text = `${where} is not retired, and nothing was changed: ${why}`;
  return new LinksealError(code, text, { effect: "none", where, next });
}
