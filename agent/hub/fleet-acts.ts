// What a person does at the hub: waves are begun, resumed and stopped, permits given and withdrawn,
// and sites frozen and thawed. What withholds is written whatever else was written meanwhile; what
// gives is written only if nothing was.

import { LinksealError } from "#hal/error.ts";
import { wallAfter } from "#hal/world.ts";
import type { HubEngine, Written } from "../fleet/engine.ts";
import { type Ask, freezeOctets, type Permit, permitOctets } from "../fleet/records.ts";
import { fleetFreezeKey, groupKey, leaseKey, siteFreezeKey } from "../fleet/subjects.ts";
import { type Act, isFit, type Wave, waveOctets } from "../fleet/wave.ts";
import { leaseHolder } from "./lease.ts";
import {
  listWaves,
  readAsk,
  readFreezes,
  readPermits,
  readView,
  type StoredWave,
  storedWave,
} from "./wave-reading.ts";
import { withdrawAll } from "./wave-run.ts";
import {
  allSites,
  keyOf,
  resume,
  stop,
  type WaitCode,
  waitsOf,
  withdrawMember,
} from "./wave-step.ts";

/** Where an act is done. */
export interface ActPlace {
  /** The engine, connected. */
  readonly engine: HubEngine;
  /** Ends all that waits for an answer. */
  readonly signal: AbortSignal;
  /** Who acts, and when. */
  readonly act: Act;
}

/** A wave, and why its members wait, by SITE.GROUP. */
export interface ShownWave {
  /** Its record. */
  readonly wave: Wave;
  /** Why, for those that wait for more than the next step. */
  readonly waits: Readonly<Record<string, WaitCode>>;
}

const wavesNext = "linkseal fleet waves";

/** Returns the name of the hub that leads; null = none does. Throws LinksealError. */
export async function leaderOf({ engine, signal }: ActPlace): Promise<string | null> {
  const read = await engine.get("linkseal-waves", leaseKey, signal);
  if (read.kind === "value") return leaseHolder(read.octets) ?? null;
  if (read.kind === "absent") return null;
  throw unanswered("linkseal-waves");
}

/** Returns all waves. Throws LinksealError. */
export async function allWaves({ engine, signal }: ActPlace): Promise<readonly StoredWave[]> {
  const found = await listWaves(engine, 1, signal);
  if (found === undefined) throw unanswered("linkseal-waves");
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns one wave. Throws LinksealError. */
export async function oneWave(
  { engine, signal }: ActPlace,
  name: string,
): Promise<{ readonly wave: Wave; readonly revision: number }> {
  const found = await findWave(engine, name, signal);
  if (found === undefined) {
    throw failed("usage", `there is no wave ${name}`, name, wavesNext);
  }
  return found;
}

/** Returns a wave and why its members wait. Throws LinksealError. */
export async function shownWave(place: ActPlace, name: string): Promise<ShownWave> {
  const { wave } = await oneWave(place, name);
  const view = await readView(place.engine, wave, place.act.at, place.signal);
  if (view === undefined) throw unanswered(name);
  return { wave, waits: Object.fromEntries(waitsOf(wave, view)) };
}

/**
 * Begins a wave. A name may be used again once its wave is done.
 * @throws LinksealError `gate.busy` if another wave that is not done has the name or a group
 */
export async function beginWave(place: ActPlace, wave: Wave): Promise<void> {
  const { name } = wave;
  if (!isFit(wave)) {
    throw failed("usage", "the wave is too large for one record", name, "begin several waves");
  }
  const keys = new Set(wave.stages.flat().map(keyOf));
  for (const other of await allWaves(place)) {
    if (other.name === name || other.wave === undefined) continue;
    const shared = groupsUnderWay(other.wave).find((key) => keys.has(key));
    if (shared === undefined) continue;
    const text = `${shared} is in the wave ${other.name}, which is not done`;
    throw failed("gate.busy", text, name, `linkseal fleet waves ${other.name}`);
  }
  const found = await findWave(place.engine, name, place.signal);
  if (found !== undefined && found.wave.state.kind !== "done") {
    const text = `a wave ${name} is not done`;
    throw failed("gate.busy", text, name, `linkseal fleet waves ${name}`);
  }
  await storeWave(place, wave, found?.revision ?? 0);
}

/** The groups of a wave that may still get a permit of it. */
function groupsUnderWay({ stages, state }: Wave): readonly string[] {
  if (state.kind === "done") return [];
  const over = new Set(["reached", "leftOut"]);
  return stages.flat().flatMap((member) => (over.has(member.state.kind) ? [] : [keyOf(member)]));
}

/**
 * Lets a wave that is stopped go on, or leaves groups of it out.
 * @throws LinksealError `gate.busy` if a group that is to be left out may be under way
 */
export async function resumeWave(
  place: ActPlace,
  name: string,
  without: ReadonlySet<string>,
): Promise<Wave> {
  const { wave, revision } = await oneWave(place, name);
  const next = `linkseal fleet waves ${name}`;
  if (wave.state.kind === "done") throw failed("gate.busy", `${name} is done`, name, next);
  if (wave.state.kind !== "stopped" && without.size === 0) {
    throw failed("gate.busy", `${name} is not stopped`, name, next);
  }
  const members = new Map(wave.stages.flat().map((member) => [keyOf(member), member]));
  const after = resume(wave, place.act, without);
  const left = new Map(after.stages.flat().map((member) => [keyOf(member), member.state.kind]));
  for (const key of without) {
    if (!members.has(key)) throw failed("usage", `${key} is not in the wave`, name, next);
    if (left.get(key) !== "leftOut") {
      throw failed("gate.busy", `${key} may be under way: it cannot be left out`, name, next);
    }
  }
  await storeWave(place, after, revision);
  return after;
}

/** Stops a wave; returns it. Throws LinksealError. */
export async function stopWave(place: ActPlace, name: string, why: string): Promise<Wave> {
  return await changed(place, name, (wave) => stop(wave, place.act, why));
}

/** A permit that a person may give, and what it replaces. */
export interface OfferedPermit {
  /** What the group asks for. */
  readonly ask: Ask;
  readonly permit: Permit;
  /** Of the permit's key when it was offered. */
  readonly revision: number;
}

/**
 * Returns the permit for what a group asks.
 * @throws LinksealError `gate.busy` if there is nothing to permit, or a freeze
 */
export async function offeredPermit(
  { engine, signal, act }: ActPlace,
  site: string,
  group: string,
  permitMs: number,
): Promise<OfferedPermit> {
  const key = groupKey(site, group);
  const ask = await readAsk(engine, site, group, signal);
  const freezes = await readFreezes(engine, [site], signal);
  const stored = await readPermits(engine, [key], signal);
  if (ask === "unanswered" || freezes === undefined || stored === undefined) throw unanswered(key);
  if (ask === "unreadable") {
    const text = `${key}: its ask cannot be read; its agent may be of another version`;
    throw failed("device.unparsed", text, key, "linkseal version, on the site");
  }
  if (ask === undefined || ask.state.kind === "ended") {
    const next = "linkseal rotation show, on the site";
    throw failed("gate.busy", `${key} asks for nothing`, key, next);
  }
  const freeze = freezes.get(allSites) ?? freezes.get(site);
  if (freeze !== undefined) {
    const text = `${key} is frozen by ${freeze.by}: ${freeze.why}`;
    throw failed("gate.busy", text, key, "linkseal fleet thaw");
  }
  const before = stored.get(key);
  if (before === undefined) throw unanswered(key);
  const { nonce, kind, config, keys } = ask;
  const notAfter = wallAfter(act.at, permitMs);
  const permit = { nonce, site, group, kind, config, keys, wave: null, notAfter };
  return { ask, permit, revision: before.revision };
}

/**
 * Writes a permit, if nothing was written to its key since it was offered.
 * @throws LinksealError
 */
export async function givePermit(
  { engine, signal }: ActPlace,
  { permit, revision }: OfferedPermit,
): Promise<void> {
  const key = groupKey(permit.site, permit.group);
  const octets = permitOctets(permit);
  check(await engine.update("linkseal-permits", key, octets, revision, signal), key);
}

/**
 * Takes the permit of a group back, and stops the waves that gave it; returns their names.
 * @throws LinksealError
 */
export async function withdrawPermit(
  place: ActPlace,
  site: string,
  group: string,
): Promise<readonly string[]> {
  const { engine, signal, act } = place;
  const key = groupKey(site, group);
  const withdraw = async (): Promise<void> => {
    if (await withdrawAll(engine, [key], signal)) return;
    throw new LinksealError("transport.closed", `the permit of ${key} may still count`, {
      ...{ effect: "unknown", where: key, next: "on the site: linkseal rotation abandon GROUP" },
    });
  };
  // At once, and again after the records: until then a hub may give it anew.
  await withdraw();
  const names: string[] = [];
  for (const { name, wave } of await allWaves(place)) {
    if (wave === undefined || withdrawMember(wave, key, act) === wave) continue;
    await changed(place, name, (newest) => withdrawMember(newest, key, act));
    names.push(name);
  }
  await withdraw();
  return names;
}

/** Freezes or thaws all sites or one. Throws LinksealError. */
export async function setFreeze(
  { engine, signal, act }: ActPlace,
  site: string | undefined,
  state: "frozen" | "thawed",
  why: string,
): Promise<void> {
  const key = site === undefined ? fleetFreezeKey : siteFreezeKey(site);
  const octets = freezeOctets({ state, ...act, why });
  check(await engine.put("linkseal-freeze", key, octets, signal), key);
}

async function findWave(
  engine: Pick<HubEngine, "get">,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly wave: Wave; readonly revision: number } | undefined> {
  const read = await engine.get("linkseal-waves", name, signal);
  if (read.kind === "absent") return undefined;
  if (read.kind !== "value") throw unanswered(name);
  const { wave, revision } = storedWave(name, read);
  if (wave !== undefined) return { wave, revision };
  const text = "the record of the wave cannot be read";
  throw failed("device.unparsed", text, name, "linkseal hub doctor");
}

/** Changes a record that hubs may change at the same time. */
const attemptsMax = 20;

async function changed(place: ActPlace, name: string, change: (wave: Wave) => Wave): Promise<Wave> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const { wave, revision } = await oneWave(place, name);
    const next = change(wave);
    if (next === wave) return wave;
    const written = await updateWave(place, next, revision);
    if (written.kind === "refused" && written.reason === "conflict") continue;
    check(written, name);
    return next;
  }
  throw failed("gate.busy", "the record of the wave changes all the time", name, "try it again");
}

const updateWave = ({ engine, signal }: ActPlace, wave: Wave, revision: number): Promise<Written> =>
  engine.update("linkseal-waves", wave.name, waveOctets(wave), revision, signal);

async function storeWave(place: ActPlace, wave: Wave, revision: number): Promise<void> {
  check(await updateWave(place, wave, revision), wave.name);
}

/** Throws unless it was written. */
function check(written: Written, where: string): void {
  if (written.kind === "ok") return;
  if (written.kind === "unknown") {
    throw new LinksealError("transport.timeout", "the engine did not say whether it was written", {
      ...{ effect: "unknown", where, next: wavesNext },
    });
  }
  if (written.reason === "conflict") {
    throw failed("gate.busy", "it was changed meanwhile; look again", where, wavesNext);
  }
  if (written.reason === "denied") {
    const text = "the user has no right to it: it is not that of a hub";
    throw failed("transport.authentication", text, where, doctor);
  }
  throw failed("transport.closed", `nothing was written: ${written.reason}`, where, doctor);
}

const doctor = "linkseal hub doctor";

function unanswered(where: string): LinksealError {
  return failed("transport.closed", "the engine does not show it", where, doctor);
}

function failed(
  code: "usage" | "gate.busy" | "transport.closed" | "transport.authentication" | "device.unparsed",
  text: string,
  where: string,
  next: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next });
}
