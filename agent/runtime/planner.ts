// Makes the plan of a config from fresh observations, and asks the devices' drivers what its steps
// would send. It writes nothing.

import { createHash } from "node:crypto";
import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver, SecretRef } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import { farEndMove } from "../compare/far-end-drift.ts";
import { type PlanInput, plan } from "../compare/plan.ts";
import type { Sends } from "../compare/sends.ts";
import { type ConfigPart, type SitePlan, sitePlan } from "../compare/site-plan.ts";
import type { MadeTunnel } from "../compare/tunnel-change.ts";
import { settingChanges } from "../config/index.ts";
import { cakOctets } from "../model/cak-octets.ts";
import { type Desired, groupPart, linkId } from "../model/desired.ts";
import type { Intent } from "../store/intent/intent.ts";
import type { Memory } from "../store/journal/memory.ts";
import type { ApplyAnswer, ApplyRequest } from "./agent-shapes.ts";
import { riskAccepted } from "./campaigns/begin.ts";
import type { DeviceCache } from "./polling/device-cache.ts";

interface PlannerParts {
  readonly world: World;
  readonly memory: () => Memory;
  readonly made: MadeTunnel;
  /** The config in force; undefined = none. */
  readonly intent: Intent | undefined;
  /** Returns an accepted config by its number; undefined = this version cannot read it. */
  readonly accepted: (number: number) => Desired | undefined;
  /** Sessions of their own, which the planner closes. */
  readonly deviceCache: DeviceCache;
}

/** What a device is asked: what it would be sent for a change. */
interface Asked {
  readonly device: string;
  readonly change: DeviceChange;
}

/** Plans a config that is valid; `text` is what `desired` was parsed from. */
export async function planSite(
  parts: PlannerParts,
  { text, desired }: { readonly text: string; readonly desired: Desired },
  signal: AbortSignal,
): Promise<SitePlan> {
  const { deviceCache } = parts;
  try {
    const links = desired.groups.flatMap((group) => group.links);
    await Promise.all([
      ...desired.devices.map(({ name }) => deviceCache.observe(name, signal)),
      ...links.map((link) => deviceCache.observePeer(link, signal)),
    ]);
    const input = inputOf(parts, desired);
    const asked = new Map<string, Asked>();
    // The first pass finds what the devices are to be asked.
    plan({
      ...input,
      sends: (device, change) => {
        asked.set(placeOf(device, change), { device, change });
        return undefined;
      },
    });
    const sends = new Map<string, Sends>();
    const byDevice = Map.groupBy(asked.values(), ({ device }) => device);
    await Promise.all(
      [...byDevice.values()].map((changes) => askDevice(parts, desired, changes, sends, signal)),
    );
    const devices = plan({
      ...input,
      sends: (device, change) => sends.get(placeOf(device, change)),
    });
    return sitePlan(configPart(parts.intent, text), devices, input);
  } finally {
    await deviceCache.close();
  }
}

/**
 * Returns the answer to a text that is in force, or waits, so that repeated requests store nothing;
 * undefined = it has to be judged. `waiting`: a config that is dropped if it is another one.
 */
export function answeredAlready(
  { text, queue }: Pick<ApplyRequest, "text" | "queue">,
  intent: Intent | undefined,
  waiting: { readonly text: string } | undefined,
): ApplyAnswer | undefined {
  if (waiting === undefined && intent?.text === text) {
    return { kind: "unchanged", number: intent.number };
  }
  return queue && waiting?.text === text ? { kind: "unchanged", number: null } : undefined;
}

/** Returns those of the groups that the new config would change in any way. */
export function touchedGroups(
  groups: readonly string[],
  present: Desired | undefined,
  wanted: Desired,
): readonly string[] {
  return groups.filter(
    (name) => JSON.stringify(groupPart(present, name)) !== JSON.stringify(groupPart(wanted, name)),
  );
}

/** Compares a valid text with the config in force. */
export function configPart(
  intent: Pick<Intent, "number" | "text"> | undefined,
  text: string,
): ConfigPart {
  const sha256 = createHash("sha256").update(text, "utf8").digest("hex");
  const accepted = intent?.number ?? null;
  const settings = settingChanges(intent?.text, text) ?? [];
  const base = { accepted, sha256, settings };
  if (intent === undefined) return { ...base, compared: "first" };
  if (intent.text === text) return { ...base, compared: "inForce" };
  return { ...base, compared: settings.length === 0 ? "respelled" : "differs" };
}

function inputOf(
  { world, memory, made, intent, accepted, deviceCache }: PlannerParts,
  desired: Desired,
): Omit<PlanInput, "sends"> {
  const { bindings } = memory();
  return {
    ...{ desired, memory: memory(), made },
    inForce: (name) => intent?.desired.tunnels.find((tunnel) => tunnel.name === name),
    peerFailure: (link) => deviceCache.peerFailure(link),
    moveOf: (link) => {
      const binding = bindings[linkId(link)];
      if (binding === undefined) return undefined;
      const before = { inForce: intent?.desired, bound: accepted(binding.intent) };
      return farEndMove(desired, link, before);
    },
    snapshot: (link) => deviceCache.snapshot(link),
    state: (device) => deviceCache.state(device),
    capabilities: (device) => deviceCache.capabilities(device),
    acceptsRisk: (risk) => riskAccepted(desired, risk, world.clock.wall()),
  };
}

function placeOf(device: string, change: DeviceChange): string {
  return JSON.stringify([device, change]);
}

/**
 * Asks a device for one change after the other, because each of them reads its configuration in the
 * same session; puts the answers into `sends`. A device that is lost meanwhile is not asked again.
 */
async function askDevice(
  parts: PlannerParts,
  desired: Desired,
  changes: readonly Asked[],
  sends: Map<string, Sends>,
  signal: AbortSignal,
): Promise<void> {
  let lost: Sends | undefined;
  for (const { device, change } of changes) {
    const place = placeOf(device, change);
    try {
      const found = lost ?? (await sendsOf(parts, desired, { device, change }, signal));
      if (found !== undefined) sends.set(place, found);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const why: Sends = { kind: "unknown", why: error.message };
      sends.set(place, why);
      if (error.code.startsWith("transport.")) lost = why;
    }
  }
}

/** Longer than a large configuration takes to be read. */
const previewMsMax = 60_000;

async function sendsOf(
  { world, deviceCache }: PlannerParts,
  desired: Desired,
  { device, change }: Asked,
  signal: AbortSignal,
): Promise<Sends | undefined> {
  const limit = { ms: previewMsMax, where: device, effect: "none" } as const;
  const keys = placeholders(octetsFor(desired, device, change));
  const lines = await withDeadline(world.clock, limit, signal, async (bounded) => {
    const session = await deviceCache.device(device, bounded);
    return await session.preview?.(change, keys, bounded);
  });
  return lines === undefined ? undefined : { kind: "lines", lines };
}

/** A plan shows only the labels of secrets, so it needs no key of the vault, only its length. */
function placeholders(octets: number): KeyResolver {
  return ({ kind }: SecretRef) =>
    Promise.resolve(Secret.take(kind, new Uint8Array(octets).fill(filler)));
}

/** The letter x, which every device takes as part of a PSK. */
const filler = 0x78;

function octetsFor(desired: Desired, device: string, change: DeviceChange): 16 | 32 {
  const ports = change.flatMap((one) => ("port" in one ? [one.port] : []));
  const link = desired.groups
    .flatMap((group) => group.links)
    .find((one) => one.device === device && ports.includes(one.port));
  return link === undefined ? 32 : cakOctets[link.settings.suite];
}
