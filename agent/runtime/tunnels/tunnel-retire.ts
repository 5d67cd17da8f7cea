// Removes a tunnel that no config names any more from its device, by itself or at an operator's
// request. Its prefixes stay blocked if the device has blocks: only `linkseal guard --release`
// opens a prefix.

import type { KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import { blocksOf, leftBlocked, type MadeTunnel } from "../../compare/tunnel-change.ts";
import type { Desired, RiskName } from "../../model/desired.ts";
import { isPending, type JournalRecord, type Memory, named } from "../../store/journal/memory.ts";
import { bounded, commitChange } from "../campaigns/commit-change.ts";
import type { DeviceCache } from "../polling/device-cache.ts";

/** The parts that the removal of a tunnel needs. */
interface RemovalParts {
  readonly world: Pick<World, "clock">;
  /** The accepted config. */
  readonly desired: Desired;
  readonly deviceCache: Pick<DeviceCache, "observe" | "device" | "state">;
  /** A tunnel as it was last applied. */
  readonly made: MadeTunnel;
  /** Appends to the journal. */
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** The parts that the retirement of a tunnel needs. */
export interface RetireParts extends RemovalParts {
  /** The state that the journal's records add up to. */
  readonly memory: () => Memory;
  /** Returns true if a campaign runs on a group of that device. */
  readonly inCampaign: (device: string) => boolean;
}

/** The result of a retirement. */
export interface RetiredTunnel {
  /** The tunnel's name. */
  readonly retired: string;
  /** The device; null = it is in no config, and nothing was changed there. */
  readonly device: string | null;
  /** Its prefixes that stay blocked on the device and that no tunnel of the config protects. */
  readonly blocked: readonly string[];
}

/** A tunnel that leaves its device. */
interface LeavingTunnel {
  readonly name: string;
  readonly device: string;
}

/**
 * Removes a tunnel from its device and forgets it; returns its prefixes that stay blocked and that
 * no tunnel of the config protects. An abort may leave the change pending; the next turn settles
 * it.
 * @throws LinksealError the device's refusal, or `verify.mismatch` if an observation shows the
 * tunnel.
 */
export async function removeTunnel(
  parts: RemovalParts,
  { name, device }: LeavingTunnel,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { made, write, desired } = parts;
  const before = made(name);
  const change = [{ kind: "ipsec.removeTunnel", name }] as const;
  const removal = { device, tunnel: name, change };
  const after = await commitChange({ ...parts, keys: noKeys }, removal, signal);
  if (after === undefined) {
    const details = { effect: "unknown", where: name, next: retry(name) } as const;
    const text = `it is not known whether ${name} was removed: ${device} cannot be read`;
    throw new LinksealError("gate.stale", text, details);
  }
  await write({ kind: "forgetTunnel", name });
  const blocked = after.blocked === undefined ? [] : (strongValue(after.blocked) ?? []);
  const own = before === undefined ? [] : blocksOf(before).map(({ prefix }) => prefix);
  return leftBlocked(device, blocked, desired.tunnels).filter((prefix) => own.includes(prefix));
}

const noKeys = (): KeyResolver => () => Promise.reject(new Error("a removal has no key"));

/**
 * Removes and forgets a tunnel at an operator's request.
 * @throws LinksealError before anything is sent if it may not be retired, else as `removeTunnel`
 * describes.
 */
export async function retireTunnel(
  parts: RetireParts,
  name: string,
  risks: readonly RiskName[],
  signal: AbortSignal,
): Promise<RetiredTunnel> {
  const { desired, memory, write } = parts;
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
  await check(parts, { name, device }, risks, signal);
  const blocked = await removeTunnel(parts, { name, device }, signal);
  return { retired: name, device, blocked };
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

/** @throws LinksealError with the reason why the tunnel may not be removed now. */
async function check(
  parts: RetireParts,
  { name, device }: LeavingTunnel,
  risks: readonly RiskName[],
  signal: AbortSignal,
): Promise<void> {
  const { deviceCache, memory, inCampaign } = parts;
  const state = await deviceCache.observe(device, signal);
  if (state === undefined)
    throw refused("gate.stale", name, `${device} cannot be read`, retry(name));
  const isBusy =
    strongValue(state.control)?.commitPending !== false || isPending(memory(), device, name);
  if (isBusy) {
    throw refused("gate.busy", name, `a change of ${device} is not confirmed yet`, retry(name));
  }
  if (inCampaign(device)) {
    throw refused("gate.busy", name, `a campaign runs on ${device}`, "linkseal rotation show");
  }
  if (!state.ipsec.some((tunnel) => tunnel.name === name)) return;
  const asks = { where: device, effect: "none" } as const;
  const session = await bounded(parts, asks, signal, (limit) => deviceCache.device(device, limit));
  if (session.capabilities.ipsec?.blocks !== true && !risks.includes("clearAfterRetire")) {
    const why = `${device} blocks nothing: what ${name} protects may leave in the clear without it`;
    const next = `${retry(name)} --accept-risk=clear-after-retire`;
    throw refused("gate.riskNotAccepted", name, why, next);
  }
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
