// The differences between a managed link and the accepted intent, and what mends each of them
// without interrupting the port.

import type { Capabilities, DeviceChange } from "#hal/device.ts";
import { type Ckn, type KeyRef, type MacsecPort, strongValue } from "#hal/model.ts";
import { settingsGaps } from "../health/verify.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import { bgpOf, type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import { lostKeyNext } from "../model/lost-key.ts";
import type { CommitPart } from "../store/journal/memory.ts";
import { farEndGaps } from "./far-end-drift.ts";

/** One difference between a link and the accepted intent. */
export interface Drift {
  /** The sentence that operators read. */
  readonly text: string;
  /** The change that mends it; present if the driver can do so without interrupting the port. */
  readonly repair: DeviceChange | undefined;
  /** What must be true before a repair cannot interrupt the port; absent = nothing. */
  readonly waits?: string;
  /** Only a restart or a reload caused it, no operator: it is mended whatever `repair` says. */
  readonly by?: "restart" | "reload";
  /** The setting that an operator must make at the far end; present if only that end differs. */
  readonly farEnd?: string;
  /** The command with the steps of a person; present if the router lacks the accepted key. */
  readonly next?: string;
}

interface Around {
  readonly capabilities: Capabilities | undefined;
  readonly staged: readonly KeyRef[];
  /** What a reload of the router took back on the port. */
  readonly takenBack: readonly CommitPart[];
}

/** Returns the differences of both ends from the accepted key and the wanted settings. */
export function driftOf(snapshot: LinkSnapshot, key: KeyRef, around: Around): readonly Drift[] {
  const { capabilities, staged, takenBack } = around;
  const { link, state, peer } = snapshot;
  const port = portOf(state, link.port);
  if (port === undefined) return [];
  const keys = strongValue(port.keys) ?? [];
  const own = [key, ...staged];
  const isOwn = (ckn: Ckn): boolean => own.some((one) => one.ckn === ckn);
  const keyDrift = keys.some((slot) => isOwn(slot.ckn))
    ? []
    : [keyGone(snapshot, port, key, around)];
  const extra = keys
    .filter((slot) => !isOwn(slot.ckn))
    .map(({ ckn }) => {
      const isBack = takenBack.some((part) => removesKey(part, ckn));
      const back = isBack ? "came back with a reload of the router and " : "";
      const text = `another key (${ckn.slice(0, 8)}…) ${back}exists beside its own`;
      return { text: `${link.device} ${link.port}: ${text}`, repair: undefined };
    });
  const pointed = peer?.pointsAt?.cakSecretId;
  const farKey = staged.find(({ cakSecretId }) => cakSecretId === pointed) ?? key;
  // A port without MACsec lost its settings with its key: that is one difference.
  const onRouter = isBare(port) ? [] : settingsDrift(link, port, capabilities);
  return [...onRouter, ...keyDrift, ...extra, ...farEndGaps(link, farKey, peer)];
}

/** Returns true if the port has neither MACsec nor a key. */
function isBare({ keys, settings }: MacsecPort): boolean {
  const isOpen = settings.kind === "known" && settings.value === undefined;
  return isOpen && strongValue(keys)?.length === 0;
}

function settingsDrift(
  link: DesiredLink,
  { settings }: MacsecPort,
  capabilities: Capabilities | undefined,
): readonly Drift[] {
  const observed = strongValue(settings);
  const hitless = capabilities?.macsec?.hitless ?? [];
  const gaps = settingsGaps(link.settings, observed);
  const mendable = observed !== undefined && gaps.every((gap) => hitless.includes(gap.leaf));
  const repair: DeviceChange | undefined = mendable
    ? [{ kind: "macsec.protect", port: link.port, settings: link.settings }]
    : undefined;
  return gaps.map((gap) => ({
    text: `${link.device} ${link.port}: ${gap.leaf} is ${gap.observed}, wanted ${gap.wanted}`,
    repair,
  }));
}

/** A port without any key carries nothing that adding the key could interrupt. */
function keyGone(
  snapshot: LinkSnapshot,
  port: MacsecPort,
  key: KeyRef,
  { capabilities, takenBack }: Around,
): Drift {
  const { link, peer } = snapshot;
  const lost = isBare(port) ? `MACsec and the key ${key.ckn} are` : `the key ${key.ckn} is`;
  const text = `${link.device} ${link.port}: ${lost} gone`;
  // A far end that already uses another key would not accept this one.
  const isOver = peer !== undefined && peer.pointsAt?.cakSecretId !== key.cakSecretId;
  const isElsewhere = isOver && peer.pointsAt !== undefined;
  const next = isElsewhere ? `linkseal ends ${linkId(link)}` : lostKeyNext(link, peer);
  // If the device cannot revert by itself, the agent repairs no port of it.
  const isFinal = capabilities?.commit.kind === "immediate";
  const isTaken = takenBack.some((part) => addsKey(part, key.ckn));
  const held = strongValue(port.keys)?.length;
  const addKey = { kind: "macsec.addKey", port: link.port, key, role: "primary" } as const;
  // The far end is seen with this key alone, so the one that came back carries nothing.
  const isOurs = peer?.provisioning === "settled" && !isOver;
  if (isTaken && isOurs && held === 1 && capabilities?.macsec?.overlap === "fallback") {
    return { text, repair: [{ ...addKey, role: "fallback" }], next, by: "reload" };
  }
  if (held !== 0 || isOver || (isFinal && !isTaken)) return { text, repair: undefined, next };
  if (isBare(port)) {
    const waits = passesUntil(snapshot);
    if (waits !== undefined) return { text, repair: undefined, waits, next };
    const protect = { kind: "macsec.protect", port: link.port, settings: link.settings } as const;
    const drift = { text, repair: [protect, addKey], next };
    return isTaken ? { ...drift, by: "reload" } : drift;
  }
  if (strongValue(port.settings) === undefined) return { text, repair: undefined, next };
  const by = isTaken ? "reload" : strongValue(port.keyLoss);
  const drift = { text, repair: [addKey], next };
  return by === undefined ? drift : { ...drift, by };
}

function addsKey(part: CommitPart, ckn: Ckn): boolean {
  const isAdded = part.kind === "macsec.addKey" || part.kind === "macsec.replaceKey";
  return isAdded && part.key.ckn === ckn;
}

/** Returns true if a part took this key off its port. */
export function removesKey(part: CommitPart, ckn: Ckn): boolean {
  return part.kind === "macsec.removeKey" && part.ckn === ckn;
}

/**
 * What shows that no frame passes a port without MACsec, which must-secure would stop; undefined =
 * it is shown already. A far end drops clear frames once its hardware follows its settings.
 */
function passesUntil({ link, state, peer }: LinkSnapshot): string | undefined {
  if (peer?.provisioning !== "settled") return "its far end is read and settled";
  if (bgpOf(state, link.port) !== "down") return "no BGP session of the link is up";
  return undefined;
}
