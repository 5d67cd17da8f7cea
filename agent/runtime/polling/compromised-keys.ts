// Keys that were declared compromised: records when each is gone from every place, and keeps the
// same in the vault, so that a state folder that was lost or restored does not end an emergency.

import { LinksealError } from "#hal/error.ts";
import {
  compromisedTag,
  type KeyMarker,
  type KeyVault,
  pairTag,
  type SecretVersion,
} from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import { isGone, type Places, whereabouts } from "../../health/compromised.ts";
import { type Desired, type DesiredLink, linkId } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import {
  type CompromisedKey,
  type JournalRecord,
  type Memory,
  named,
  openCampaign,
} from "../../store/journal/memory.ts";
import type { DeviceCache } from "./device-cache.ts";
import { Retries } from "./retries.ts";
import { pairedCkn } from "./vault.ts";

export interface CompromisedKeysParts {
  readonly world: Pick<World, "clock" | "entropy" | "log">;
  readonly desired: Desired;
  readonly deviceCache: DeviceCache;
  readonly vault: KeyVault;
  readonly marker: KeyMarker;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  /** True while the journal is not whole: writes are refused. */
  readonly readOnly: () => boolean;
}

const soonMs = 1_000;

/** The declared keys of a site. */
export class CompromisedKeys {
  readonly #parts: CompromisedKeysParts;
  readonly #retries: Retries;
  /** Links whose versions this process has not listed yet. */
  readonly #unlisted: DesiredLink[];
  /** Versions with the tag, by id, that the memory does not have. */
  readonly #found = new Map<string, CompromisedKey>();

  constructor(parts: CompromisedKeysParts) {
    this.#parts = parts;
    this.#retries = new Retries(parts.world);
    this.#unlisted = parts.desired.groups.flatMap((group) => group.links);
  }

  /** The places of the site as they were last read. */
  get places(): Places {
    const { desired, memory, deviceCache: observed, world } = this.#parts;
    const { clock } = world;
    return { desired, memory: memory(), observed, now: clock.now(), wall: clock.wall() };
  }

  /** Why the vault does not have the mark of a declared key; undefined = it has. */
  readonly unrecorded = (id: string): string | undefined => {
    if (named(this.#parts.memory().compromised, id)?.mark !== undefined) return undefined;
    return this.#retries.failure(id)?.message ?? "the vault is still to be asked";
  };

  /** Runs one turn; resolves to the pause after it, in milliseconds. */
  async turn(signal: AbortSignal): Promise<number> {
    const { desired, readOnly } = this.#parts;
    await this.#list(signal);
    if (!readOnly()) {
      await this.#takeOver();
      for (const key of Object.values(this.#parts.memory().compromised)) {
        await this.#tend(key, signal);
      }
    }
    const { pollMs } = desired.health;
    const isListing = this.#unlisted.length > 0 && !this.#retries.isWaiting("list");
    return isListing ? Math.min(soonMs, pollMs) : pollMs;
  }

  /** Lists the versions of one link after the other, once for each process. */
  async #list(signal: AbortSignal): Promise<void> {
    const [link] = this.#unlisted;
    if (link === undefined || this.#retries.isWaiting("list")) return;
    await this.#trying("list", async () => {
      const versions = await this.#parts.vault.versions(link.key.cak, signal);
      this.#unlisted.shift();
      for (const version of versions) this.#take(link, version);
    });
  }

  #take(link: DesiredLink, version: SecretVersion): void {
    const tag = version.tags[compromisedTag];
    const { memory, world } = this.#parts;
    const { compromised, bindings } = memory();
    if (tag === undefined || named(compromised, version.id) !== undefined) return;
    const bound = named(bindings, linkId(link))?.key;
    const used = bound?.cakSecretId === version.id ? bound.ckn : undefined;
    const ckn = pairedCkn(version) ?? used;
    // Without its CKN no router can tell whether it holds the key: this agent never used it.
    if (ckn === undefined) return;
    const wall = world.clock.wall();
    const gone = version.enabled ? {} : { gone: wall };
    const mark = version.enabled ? "tagged" : "disabled";
    const about = { link: linkId(link), ckn, cakSecretId: version.id };
    const declared = { since: timeOf(tag, wall), by: "a tag in the vault" };
    this.#found.set(version.id, { ...about, ...declared, ...gone, mark });
  }

  async #takeOver(): Promise<void> {
    for (const [id, key] of this.#found) {
      await this.#parts.write({ kind: "compromised", key });
      this.#found.delete(id);
    }
  }

  async #tend(key: CompromisedKey, signal: AbortSignal): Promise<void> {
    const { memory, world, write } = this.#parts;
    const { cakSecretId: id } = key;
    const where = whereabouts(key, this.places);
    if (where === undefined) return;
    const isOver = isGone(where) && !this.#isNeeded(key);
    let now = key;
    if (isOver && key.gone === undefined) {
      now = { ...key, gone: world.clock.wall() };
      await write({ kind: "compromised", key: now });
      world.log.write("info", "compromised-key-gone", `no link holds the key ${key.ckn}`, {
        link: key.link,
      });
    }
    const wanted = isOver ? "disabled" : "tagged";
    if (now.mark === wanted || now.mark === "disabled" || this.#retries.isWaiting(id)) return;
    await this.#trying(id, async () => {
      await this.#mark(now, wanted, signal);
      const known = named(memory().compromised, id) ?? now;
      await write({ kind: "compromised", key: { ...known, mark: wanted } });
    });
  }

  /** A campaign of its group may still have to go back to it: a dark link is worse. */
  #isNeeded({ link, cakSecretId }: CompromisedKey): boolean {
    const [group = ""] = link.split("/", 1);
    const campaign = openCampaign(this.#parts.memory(), group);
    return campaign?.links.some(({ old }) => old?.key.cakSecretId === cakSecretId) === true;
  }

  /** A far end that points at a version reads it again, so only a key that is gone is disabled. */
  async #mark(
    { cakSecretId: id, ckn, since }: CompromisedKey,
    wanted: "tagged" | "disabled",
    signal: AbortSignal,
  ): Promise<void> {
    const { vault, marker } = this.#parts;
    const name = id.split("/").at(-2) ?? "";
    const version = (await vault.versions(name, signal)).find((each) => each.id === id);
    if (version === undefined) return;
    const own = { [pairTag]: ckn.toUpperCase(), [compromisedTag]: isoTime(since) };
    const enabled = wanted === "disabled" ? { enabled: false as const } : {};
    await marker.mark(id, { tags: { ...version.tags, ...own }, ...enabled }, signal);
  }

  async #trying(name: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
      this.#retries.succeeded(name);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#retries.failed(name, error);
      this.#parts.world.log.write("warn", error.code, error.message, { key: name });
    }
  }
}

/** The time in a tag; a text that is none, or of the future, is as old as its discovery. */
function timeOf(tag: string, wall: WallTime): WallTime {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(tag) ? Date.parse(tag) : wall;
  return (Number.isFinite(at) && at <= wall ? at : wall) as WallTime;
}
