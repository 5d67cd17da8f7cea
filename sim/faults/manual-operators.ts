// Manual operators: what they do at either end of a link while others work on it, and how they undo
// it.

import type { PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type KeyRef, parseCkn, type WantedSettings } from "#hal/model.ts";
import { type PortConfig, sameSettings } from "../router/router-config.ts";
import type { Site, SiteLink } from "../site/site.ts";
import { handMadeSettings, type Overlap } from "../site/site-plan.ts";

/** Undoes an act as far as a manual operator would. */
export type Heal = () => void;

const nothing: Heal = () => {};

/**
 * The interval in milliseconds at which a refused operator tries again, before leaving it to
 * others.
 */
const retryMs = 60_000;
const retriesMax = 30;

/** Points the far end at a pair that is not the site's, as an operator might. */
export function pointAtForeignPair(site: Site, link: SiteLink): Heal {
  if (pointsAt(link) === undefined) return nothing;
  const names = { cak: `${link.key.cak}-by-hand`, ckn: `${link.key.ckn}-by-hand` };
  return pointAt(site, link, site.vault.generatePair(names, handMadeSettings.suite));
}

/**
 * Points the far end at a pair of the link, ahead of a rotation: at that with this CAK version, or
 * at the newest one.
 */
export function pointAtNewestPair(site: Site, link: SiteLink, cak?: string): Heal {
  if (cak !== undefined) return setPair(site, link, namedPair(site, link, cak));
  const pair = site.vault.pairs(link.key).at(-1);
  if (pair?.cakSecretId === pointsAt(link)?.cakSecretId) return nothing;
  return pointAt(site, link, pair);
}

/** Sets the far end to a pair and to the settings of the link, as by a command that is printed. */
function setPair(site: Site, link: SiteLink, key: KeyRef): Heal {
  const before = pointsAt(link);
  const { suite, includeSci } = link.settings ?? handMadeSettings;
  link.msee.manualEdit(link.azureLink, { key, suite, sci: includeSci ? "on" : "off" });
  if (before === undefined) return nothing;
  return () => putBack(site, link, { key, before, left: retriesMax });
}

/** @throws RangeError for a version that the vault does not have */
function namedPair(site: Site, link: SiteLink, cak: string): KeyRef {
  const pairs = site.vault.pairs(link.key);
  const found = pairs.find(({ cakSecretId }) => cakSecretId.endsWith(`/${cak}`));
  if (found === undefined) throw new RangeError(`${link.id} has no pair with the CAK ${cak}`);
  return found;
}

/**
 * Points the far end back, as if to revert a rotation: at the pair with this CAK version, or at the
 * one before its present one.
 */
export function pointAtPreviousPair(site: Site, link: SiteLink, cak?: string): Heal {
  if (cak !== undefined) return pointAt(site, link, namedPair(site, link, cak));
  const pairs = site.vault.pairs(link.key);
  const present = pointsAt(link);
  const index = pairs.findIndex(({ cakSecretId }) => cakSecretId === present?.cakSecretId);
  return pointAt(site, link, index > 0 ? pairs[index - 1] : undefined);
}

function pointAt(site: Site, link: SiteLink, key: KeyRef | undefined): Heal {
  const before = pointsAt(link);
  if (before === undefined || key === undefined) return nothing;
  link.msee.manualEdit(link.azureLink, { key, suite: handMadeSettings.suite });
  return () => putBack(site, link, { key, before, left: retriesMax });
}

interface PutBack {
  readonly key: KeyRef;
  readonly before: NonNullable<PeerState["pointsAt"]>;
  /** The number of attempts that are left. */
  readonly left: number;
}

function putBack(site: Site, link: SiteLink, task: PutBack): void {
  const { key, left } = task;
  const shown = portal(link);
  const good = heldPair(site, link, task.before);
  const theirs = shown?.pointsAt?.cakSecretId === key.cakSecretId;
  // If the router has their key by now, putting it back would cut the link again.
  const followed = link.edge.keys().some(({ ckn }) => ckn === key.ckn);
  const refused =
    shown?.provisioning === "failed" && shown.pointsAt?.cakSecretId === good.cakSecretId;
  const wanting = (theirs && !followed) || refused;
  const waiting = shown === undefined || shown.provisioning === "updating";
  if (left === 0 || !(wanting || waiting)) return;
  if (!waiting) link.msee.manualEdit(link.azureLink, { key: good });
  site.clock.after(retryMs, () => putBack(site, link, { ...task, left: left - 1 }));
}

/** Returns the pair that the far end had, unless others have changed the router meanwhile. */
function heldPair(site: Site, link: SiteLink, before: PutBack["before"]): PutBack["before"] {
  const held = site.vault
    .pairs(link.key)
    .filter((pair) => link.edge.keys().some(({ ckn }) => ckn === pair.ckn));
  return (
    held.find(({ cakSecretId }) => cakSecretId === before.cakSecretId) ?? held.at(-1) ?? before
  );
}

/** Writes the settings of a far end again after its operation failed. */
export function repairFarEnd(site: Site, link: SiteLink): void {
  const shown = portal(link);
  if (shown?.provisioning !== "failed" || shown.pointsAt === undefined) return;
  link.msee.manualEdit(link.azureLink, { key: heldPair(site, link, shown.pointsAt) });
}

function pointsAt(link: SiteLink): PeerState["pointsAt"] {
  return portal(link)?.pointsAt;
}

/** Returns the state that the portal shows; an operator does not change what it does not show. */
function portal(link: SiteLink): PeerState | undefined {
  try {
    return link.msee.observe(link.azureLink);
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

/** Adds a second key if the router has room for one; the heal removes it again. */
export function addForeignKey(site: Site, link: SiteLink): Heal {
  const overlap = link.router.options.capabilities.macsec?.overlap ?? "none";
  if (overlap === "none" || link.router.configured(link.port)?.keys.length !== 1) return nothing;
  // The key was never in a vault: no other party has it.
  const prng = site.prng.fork(`key by hand ${link.id} ${site.clock.now()}`);
  const ckn = parseCkn(prng.hex(32));
  if (ckn === undefined) throw new RangeError("a drawn CKN must parse");
  const cak = prng.bytes(32);
  const role = freeRole(link, overlap);
  edit(link, (port) => {
    // The first key is the last one of a chain, and an operator does not mean to move it.
    const key = { ckn, cak, role } as const;
    port.keys = role === "fallback" ? [...port.keys, key] : [key, ...port.keys];
  });
  return () =>
    edit(link, (port) => {
      const rest = port.keys.filter((key) => key.ckn !== ckn);
      if (isWhole(rest, role)) port.keys = rest;
    });
}

/** Returns the role that a second key may have: a primary key has a fallback beside it at most. */
function freeRole(link: SiteLink, overlap: Overlap): "primary" | "fallback" {
  const keys = link.router.configured(link.port)?.keys ?? [];
  const isTaken = overlap === "fallback" && keys.some(({ role }) => role === "primary");
  return isTaken ? "fallback" : "primary";
}

/** True if the keys that are left may be alone: as before a key of this role came, or with one. */
function isWhole(rest: PortConfig["keys"], came: "primary" | "fallback"): boolean {
  return rest.some(({ role }) => role === "primary" || came === "primary");
}

/**
 * Adds the newest pair to the router ahead of a rotation, beside the present key or as the first
 * one. The heal removes it again unless the far end has come to use it.
 */
export function addNewestPair(site: Site, link: SiteLink): Heal {
  const newest = site.vault.pairs(link.key).at(-1);
  const port = link.router.configured(link.port);
  if (newest === undefined || port === undefined) return nothing;
  const overlap = link.router.options.capabilities.macsec?.overlap ?? "none";
  const isBare = port.keys.length === 0 && port.macsec === undefined;
  const isThere = port.keys.some(({ ckn }) => ckn === newest.ckn);
  if (isThere || !(isBare || (port.keys.length === 1 && overlap !== "none"))) return nothing;
  const { ckn } = newest;
  const cak = octetsOf(site, newest);
  if (cak === undefined) return nothing;
  const role = freeRole(link, overlap);
  edit(link, (typed) => {
    typed.macsec ??= link.settings ?? handMadeSettings;
    typed.keys = [...typed.keys, { ckn, cak, role }];
  });
  return () => {
    if (link.msee.hardwareKey(link.azureLink) === ckn) return;
    edit(link, (typed) => {
      const rest = typed.keys.filter((key) => key.ckn !== ckn);
      if (isWhole(rest, role)) typed.keys = rest;
      else if (isBare && rest.length === 0) Object.assign(typed, { keys: [], macsec: undefined });
    });
  };
}

/** Returns the octets; an operator cannot enter what the vault does not return. */
function octetsOf(site: Site, { cakSecretId }: KeyRef): Uint8Array | undefined {
  try {
    return Uint8Array.from(Buffer.from(site.vault.valueForFarEnd(cakSecretId), "hex"));
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

/** Removes the newest key of the port; it returns if the far end waits for it. */
export function removeNewestKey(_site: Site, link: SiteLink): Heal {
  return removeKey(link, link.router.configured(link.port)?.keys.at(-1));
}

/** Removes the oldest key, as an operator who tidies up while a rotation still needs it. */
export function removeOldestKey(_site: Site, link: SiteLink): Heal {
  const keys = link.router.configured(link.port)?.keys ?? [];
  return removeKey(link, keys.length > 1 ? keys[0] : undefined);
}

function removeKey(link: SiteLink, gone: PortConfig["keys"][number] | undefined): Heal {
  if (gone === undefined) return nothing;
  edit(link, (port) => {
    const rest = port.keys.filter(({ ckn }) => ckn !== gone.ckn);
    port.keys = rest.map((key, index) => (index === 0 ? { ...key, role: "primary" } : key));
  });
  return () =>
    edit(link, (port) => {
      const [front] = port.keys;
      const awaited = front === undefined || link.msee.hardwareKey(link.azureLink) === gone.ckn;
      if (!awaited || port.keys.some(({ ckn }) => ckn === gone.ckn)) return;
      if (port.macsec !== undefined) port.keys = [{ ...gone, role: "primary" }];
    });
}

/** Removes the newest key and puts it back where it was, as after a mistake. */
export function swapNewestKey(site: Site, link: SiteLink): Heal {
  const before = link.router.configured(link.port)?.keys ?? [];
  const gone = before.at(-1);
  if (gone === undefined) return nothing;
  const heal = removeNewestKey(site, link);
  const left = link.router.configured(link.port)?.keys ?? [];
  return () => {
    const { keys: now = [], macsec } = link.router.configured(link.port) ?? {};
    // A port that has lost MACsec since then takes no key.
    const isAsLeft =
      macsec !== undefined &&
      now.length === left.length &&
      now.every(({ ckn }, index) => ckn === left[index]?.ckn);
    if (isAsLeft) edit(link, (port) => (port.keys = [...before]));
    else heal();
  };
}

/** Restores the traffic and drains it again seconds later, as if the port was the wrong one. */
export function undrainBriefly(site: Site, link: SiteLink): Heal {
  const means = link.router.configured(link.port)?.drain;
  if (means === undefined) return nothing;
  undrain(site, link);
  const ms = site.prng.fork(`drain again ${link.id} ${site.clock.now()}`).between(2_000, 6_000);
  let theirs = false;
  site.clock.after(ms, () => {
    theirs = !link.router.drained(link.port);
    if (theirs) edit(link, (port) => (port.drain = means));
  });
  // An operator undoes their own drain, unless others have moved the traffic since.
  link.router.onEffect(({ by, what, port }) => {
    if (by === "agent" && port === link.port && /^port\.(?:drain|restore)$/.test(what)) {
      theirs = false;
    }
  });
  return () => {
    if (theirs) undrain(site, link);
  };
}

/** Turns MACsec off at the far end, which leaves the router alone with its key. */
export function turnOffFarEnd(site: Site, link: SiteLink): Heal {
  const before = pointsAt(link);
  if (before === undefined) return nothing;
  link.msee.manualEdit(link.azureLink, { key: "off" });
  const putOn = (left: number): void => {
    const shown = portal(link);
    const waiting = shown === undefined || shown.provisioning === "updating";
    if (left === 0 || !(waiting || shown.pointsAt === undefined)) return;
    // If the router has no key either, both ends are as they were before the first one.
    if (!waiting && link.edge.keys().length === 0) return;
    if (!waiting) link.msee.manualEdit(link.azureLink, { key: heldPair(site, link, before) });
    site.clock.after(retryMs, () => putOn(left - 1));
  };
  return () => putOn(retriesMax);
}

/** Sets up a far end that has no key yet; the heal reverts that if the router has none. */
export function setUpFarEnd(site: Site, link: SiteLink): Heal {
  const newest = site.vault.pairs(link.key).at(-1);
  const shown = portal(link);
  if (newest === undefined || shown === undefined || shown.pointsAt !== undefined) return nothing;
  const { suite, includeSci } = link.settings ?? handMadeSettings;
  link.msee.manualEdit(link.azureLink, { key: newest, suite, sci: includeSci ? "on" : "off" });
  const takeBack = (left: number): void => {
    const observed = portal(link);
    const waiting = observed === undefined || observed.provisioning === "updating";
    if (left === 0 || link.edge.keys().length > 0) return;
    if (!waiting && observed.pointsAt === undefined) return;
    if (!waiting) link.msee.manualEdit(link.azureLink, { key: "off" });
    site.clock.after(retryMs, () => takeBack(left - 1));
  };
  return () => takeBack(retriesMax);
}

export function undrain(_site: Site, link: SiteLink): Heal {
  edit(link, (port) => {
    port.drain = undefined;
  });
  return nothing;
}

export function shutPort(_site: Site, link: SiteLink): Heal {
  edit(link, (port) => {
    port.admin = "down";
  });
  return () =>
    edit(link, (port) => {
      port.admin = "up";
    });
}

/** Opens a port that is shut; an open one is left alone. */
export function openPort(link: SiteLink): void {
  if (link.router.configured(link.port)?.admin !== "down") return;
  edit(link, (port) => {
    port.admin = "up";
  });
}

/** Removes MACsec and every key from the port. */
export function takeOff(link: SiteLink): void {
  edit(link, (port) => {
    port.keys = [];
    port.macsec = undefined;
  });
}

/** Sets exactly these keys, one of which is first; a port without MACsec gets it back with them. */
export function setKeys(link: SiteLink, keys: PortConfig["keys"]): void {
  edit(link, (port) => {
    port.macsec ??= link.settings ?? handMadeSettings;
    port.keys = keys.map((key, index) => {
      const leads = keys.some(({ role }) => role === "primary")
        ? key.role === "primary"
        : index === 0;
      return leads ? { ...key, role: "primary" } : key;
    });
  });
}

/** Sets only what differs. */
export function setSettings(link: SiteLink, wanted: WantedSettings): void {
  const macsec = link.router.configured(link.port)?.macsec;
  if (macsec === undefined) return;
  const { suite, includeSci, keyServerPriority } = wanted;
  const typed = { ...macsec, suite, includeSci, keyServerPriority };
  if (sameSettings(macsec, typed)) return;
  edit(link, (port) => {
    port.macsec = typed;
  });
}

function edit(link: SiteLink, change: (port: PortConfig) => void): void {
  link.router.manualEdit((config) => {
    const port = config.ports.get(link.port);
    if (port !== undefined) change(port);
  });
}
