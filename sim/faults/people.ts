// What people do by hand at either end of a link while others work on it, and how they mend it.

import type { PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type KeyRef, parseCkn, type WantedSettings } from "#hal/model.ts";
import { type PortConfig, sameSettings } from "../router/router-config.ts";
import type { Site, SiteLink } from "../site/site.ts";
import { handMadeSettings } from "../site/site-plan.ts";

/** Puts right what a person would put right. */
export type Heal = () => void;

const nothing: Heal = () => {};

/** A person who is refused comes back this often, and in the end leaves it to others. */
const retryMs = 60_000;
const retriesMax = 30;

/** Somebody points the far end at a pair of their own. */
export function pointAtForeignPair(site: Site, link: SiteLink): Heal {
  if (pointsAt(link) === undefined) return nothing;
  const names = { cak: `${link.key.cak}-by-hand`, ckn: `${link.key.ckn}-by-hand` };
  return pointAt(site, link, site.vault.generatePair(names, handMadeSettings.suite));
}

/** Somebody runs ahead of a rotation: the far end gets the newest pair of the link. */
export function pointAtNewestPair(site: Site, link: SiteLink): Heal {
  const newest = site.vault.pairs(link.key).at(-1);
  if (newest?.cakSecretId === pointsAt(link)?.cakSecretId) return nothing;
  return pointAt(site, link, newest);
}

/** Somebody takes a rotation back: the far end gets the pair before its present one. */
export function pointAtPreviousPair(site: Site, link: SiteLink): Heal {
  const pairs = site.vault.pairs(link.key);
  const present = pointsAt(link);
  const index = pairs.findIndex(({ cakSecretId }) => cakSecretId === present?.cakSecretId);
  return pointAt(site, link, index > 0 ? pairs[index - 1] : undefined);
}

function pointAt(site: Site, link: SiteLink, key: KeyRef | undefined): Heal {
  const before = pointsAt(link);
  if (before === undefined || key === undefined) return nothing;
  link.msee.person(link.azureLink, { key, suite: handMadeSettings.suite });
  return () => putBack(site, link, { key, before, left: retriesMax });
}

interface PutBack {
  readonly key: KeyRef;
  readonly before: NonNullable<PeerState["pointsAt"]>;
  /** Times to come back. */
  readonly left: number;
}

function putBack(site: Site, link: SiteLink, task: PutBack): void {
  const { key, left } = task;
  const shown = portal(link);
  const good = heldPair(site, link, task.before);
  const theirs = shown?.pointsAt?.cakSecretId === key.cakSecretId;
  // Where the router has come to hold their key, putting it back would cut the link again.
  const followed = link.edge.keys().some(({ ckn }) => ckn === key.ckn);
  const refused =
    shown?.provisioning === "failed" && shown.pointsAt?.cakSecretId === good.cakSecretId;
  const wanting = (theirs && !followed) || refused;
  const waiting = shown === undefined || shown.provisioning === "updating";
  if (left === 0 || !(wanting || waiting)) return;
  if (!waiting) link.msee.person(link.azureLink, { key: good });
  site.clock.after(retryMs, () => putBack(site, link, { ...task, left: left - 1 }));
}

/** What the far end was pointed at, unless others have changed the router meanwhile. */
function heldPair(site: Site, link: SiteLink, before: PutBack["before"]): PutBack["before"] {
  const held = site.vault
    .pairs(link.key)
    .filter((pair) => link.edge.keys().some(({ ckn }) => ckn === pair.ckn));
  return (
    held.find(({ cakSecretId }) => cakSecretId === before.cakSecretId) ?? held.at(-1) ?? before
  );
}

/** Somebody says again to a far end that has failed what it is to have. */
export function repairFarEnd(site: Site, link: SiteLink): void {
  const shown = portal(link);
  if (shown?.provisioning !== "failed" || shown.pointsAt === undefined) return;
  link.msee.person(link.azureLink, { key: heldPair(site, link, shown.pointsAt) });
}

function pointsAt(link: SiteLink): PeerState["pointsAt"] {
  return portal(link)?.pointsAt;
}

/** Nobody changes by hand what the portal does not show them. */
function portal(link: SiteLink): PeerState | undefined {
  try {
    return link.msee.observe(link.azureLink);
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

/** A second key where the router can hold one; they take it away again. */
export function addForeignKey(site: Site, link: SiteLink): Heal {
  const overlap = link.router.options.capabilities.macsec?.overlap ?? "none";
  if (overlap === "none" || link.router.configured(link.port)?.keys.length !== 1) return nothing;
  // It has never been in a vault: nobody but that person knows it.
  const prng = site.prng.fork(`key by hand ${link.id} ${site.clock.now()}`);
  const ckn = parseCkn(prng.hex(32));
  if (ckn === undefined) throw new RangeError("a drawn CKN must parse");
  const cak = prng.bytes(32);
  const role = overlap === "fallback" ? "fallback" : "primary";
  edit(link, (port) => {
    // The key in front is the last one of a chain, and a person does not mean to move it.
    const key = { ckn, cak, role } as const;
    port.keys = role === "fallback" ? [...port.keys, key] : [key, ...port.keys];
  });
  return () =>
    edit(link, (port) => {
      const rest = port.keys.filter((key) => key.ckn !== ckn);
      if (rest.some((key) => key.role === "primary")) port.keys = rest;
    });
}

/**
 * Somebody runs ahead at the router: the newest pair joins the key that is there or is set up where
 * there is none. They take it away again unless the far end has come to use it.
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
  const role = overlap === "fallback" && !isBare ? "fallback" : "primary";
  edit(link, (typed) => {
    typed.macsec ??= link.settings ?? handMadeSettings;
    typed.keys = [...typed.keys, { ckn, cak, role }];
  });
  return () => {
    if (link.msee.hardwareKey(link.azureLink) === ckn) return;
    edit(link, (typed) => {
      const rest = typed.keys.filter((key) => key.ckn !== ckn);
      if (rest.some((key) => key.role === "primary")) typed.keys = rest;
      else if (isBare && rest.length === 0) Object.assign(typed, { keys: [], macsec: undefined });
    });
  };
}

/** Nobody types what the vault does not give them. */
function octetsOf(site: Site, { cakSecretId }: KeyRef): Uint8Array | undefined {
  try {
    return Uint8Array.from(Buffer.from(site.vault.valueForFarEnd(cakSecretId), "hex"));
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

/** The newest key of the port goes; it comes back where the far end waits for it. */
export function removeNewestKey(_site: Site, link: SiteLink): Heal {
  return removeKey(link, link.router.configured(link.port)?.keys.at(-1));
}

/** Somebody tidies up while a rotation still needs the old key. */
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

/** Somebody takes the newest key away, sees what they did, and puts it back where they took it. */
export function swapNewestKey(site: Site, link: SiteLink): Heal {
  const before = link.router.configured(link.port)?.keys ?? [];
  const gone = before.at(-1);
  if (gone === undefined) return nothing;
  const heal = removeNewestKey(site, link);
  const left = link.router.configured(link.port)?.keys ?? [];
  return () => {
    const { keys: now = [], macsec } = link.router.configured(link.port) ?? {};
    // A port without MACsec has been taken out of it since, and takes no key.
    const isAsLeft =
      macsec !== undefined &&
      now.length === left.length &&
      now.every(({ ckn }, index) => ckn === left[index]?.ckn);
    if (isAsLeft) edit(link, (port) => (port.keys = [...before]));
    else heal();
  };
}

/** Somebody restores the traffic and drains it again seconds later: it was the wrong port. */
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
  // What they drained is theirs to give back, unless others have moved the traffic since.
  link.router.onEffect(({ by, what, port }) => {
    if (by === "agent" && port === link.port && /^port\.(?:drain|restore)$/.test(what)) {
      theirs = false;
    }
  });
  return () => {
    if (theirs) undrain(site, link);
  };
}

/** Somebody turns MACsec off at the far end, which leaves the router alone with its key. */
export function turnOffFarEnd(site: Site, link: SiteLink): Heal {
  const before = pointsAt(link);
  if (before === undefined) return nothing;
  link.msee.person(link.azureLink, { key: "off" });
  const putOn = (left: number): void => {
    const shown = portal(link);
    const waiting = shown === undefined || shown.provisioning === "updating";
    if (left === 0 || !(waiting || shown.pointsAt === undefined)) return;
    // Where the router has no key either, both ends are as they were before the first one.
    if (!waiting && link.edge.keys().length === 0) return;
    if (!waiting) link.msee.person(link.azureLink, { key: heldPair(site, link, before) });
    site.clock.after(retryMs, () => putOn(left - 1));
  };
  return () => putOn(retriesMax);
}

/** Somebody sets up a far end that has no key yet, and takes it back if the router has none. */
export function setUpFarEnd(site: Site, link: SiteLink): Heal {
  const newest = site.vault.pairs(link.key).at(-1);
  const shown = portal(link);
  if (newest === undefined || shown === undefined || shown.pointsAt !== undefined) return nothing;
  const { suite, includeSci } = link.settings ?? handMadeSettings;
  link.msee.person(link.azureLink, { key: newest, suite, sci: includeSci ? "on" : "off" });
  const takeBack = (left: number): void => {
    const seen = portal(link);
    const waiting = seen === undefined || seen.provisioning === "updating";
    if (left === 0 || link.edge.keys().length > 0) return;
    if (!waiting && seen.pointsAt === undefined) return;
    if (!waiting) link.msee.person(link.azureLink, { key: "off" });
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

/** Nothing is done to a port that is open. */
export function openPort(link: SiteLink): void {
  if (link.router.configured(link.port)?.admin !== "down") return;
  edit(link, (port) => {
    port.admin = "up";
  });
}

/** MACsec goes off the port, with whatever key is there. */
export function takeOff(link: SiteLink): void {
  edit(link, (port) => {
    port.keys = [];
    port.macsec = undefined;
  });
}

/** Exactly these, one of which leads; a port that has lost its MACsec gets it back with them. */
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

/** What is so already is not typed again. */
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
  link.router.person((config) => {
    const port = config.ports.get(link.port);
    if (port !== undefined) change(port);
  });
}
