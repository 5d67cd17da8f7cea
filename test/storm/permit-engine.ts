// An engine and a hub that do to a site what no honest ones would: they die, take their time, lie,
// go back in time and change their minds. All that the site could read of them is kept.

import { answerMsMax, type EngineState, type Read, type Written } from "#agent/fleet/engine.ts";
import {
  type Ask,
  type Freeze,
  freezeOctets,
  type Permit,
  parseAsk,
  permitOctets,
} from "#agent/fleet/records.ts";
import {
  type Bucket,
  fleetFreezeKey,
  groupKey,
  keySubject,
  siteFreezeKey,
} from "#agent/fleet/subjects.ts";
import type { Clock, Instant, WallTime } from "#hal/world.ts";
import type { Prng } from "#sim/base/prng.ts";
import { MemoryEngine } from "../unit/kit/engine-kit.ts";

/** What the engine or the hub begins to do. */
export const acts = [
  "dies",
  "comes back",
  "takes seconds",
  "answers nothing",
  "answers at once",
  "answers garbage",
  "answers what was true before",
  "answers in any order",
  "tells the truth",
  "permits",
  "permits for a moment",
  "permits another campaign",
  "permits another site",
  "permits other keys",
  "permits another config",
  "permits what is over",
  "revokes",
  "freezes the site",
  "freezes all",
  "freezes with garbage",
  "thaws",
] as const;
export type Act = (typeof acts)[number];

/** What one read has told the site. */
export interface Told {
  readonly at: Instant;
  readonly bucket: Bucket;
  readonly key: string;
  readonly read: Read;
}

export interface HubParts {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly site: string;
  readonly group: string;
}

/** How long a permit is valid, in milliseconds: for a moment, or for good. */
const momentMs = 20_000;
const goodMs = 86_400_000;
const overMs = 600_000;

/** An engine with its hub, which acts when it is told to. */
export class HostileHub extends MemoryEngine {
  readonly told: Told[] = [];
  readonly #parts: HubParts;
  #isUp = true;
  #since = 0 as Instant;
  #answers: "at once" | "slowly" | "never" = "at once";
  #says: "truth" | "garbage" | "past" | "any" = "truth";
  /** Whether a new ask gets a permit. */
  #gives = false;
  #isHonest = false;

  constructor(parts: HubParts) {
    super();
    this.#parts = parts;
  }

  override get state(): EngineState {
    const since = this.#since;
    if (this.#isUp) return { kind: "connected", since };
    return { kind: "disconnected", since, why: "dead", next: "wait" };
  }

  override async put(bucket: Bucket, key: string, octets: Uint8Array): Promise<Written> {
    await this.#time();
    if (!this.#isUp) return { kind: "refused", reason: "disconnected" };
    const written = await super.put(bucket, key, octets);
    if (bucket === "linkseal-asks" && this.#gives) this.#permit({}, goodMs);
    return this.#answers === "never" ? { kind: "unknown" } : written;
  }

  override async get(bucket: Bucket, key: string): Promise<Read> {
    await this.#time();
    const read = await this.#get(bucket, key);
    this.told.push({ at: this.#parts.clock.now(), bucket, key, read });
    return read;
  }

  async #get(bucket: Bucket, key: string): Promise<Read> {
    if (!this.#isUp) return { kind: "refused", reason: "disconnected" };
    if (this.#answers === "never") return { kind: "unknown" };
    const { prng } = this.#parts;
    const all = this.messages.filter(({ subject }) => subject === keySubject(bucket, key));
    if (this.#says === "garbage" && prng.chance(0.7)) {
      return { kind: "value", octets: prng.bytes(prng.between(0, 200)), revision: 1 };
    }
    const past = this.#says === "past" ? all.slice(0, -1) : all;
    const found = this.#says === "any" && past.length > 0 ? prng.pick(past) : past.at(-1);
    return found === undefined ? { kind: "absent", revision: 0 } : { kind: "value", ...found };
  }

  async #time(): Promise<void> {
    const { clock, prng } = this.#parts;
    if (this.#answers === "never") return await clock.sleep(answerMsMax);
    await clock.sleep(this.#answers === "at once" ? 5 : prng.between(500, 9_000));
  }

  /** Does what no site expects of it. */
  do(act: Act): void {
    const { clock } = this.#parts;
    if (this.#isHonest) return;
    switch (act) {
      case "dies":
      case "comes back":
        this.#isUp = act === "comes back";
        this.#since = clock.now();
        return;
      case "takes seconds":
        this.#answers = "slowly";
        return;
      case "answers nothing":
        this.#answers = "never";
        return;
      case "answers at once":
        this.#answers = "at once";
        return;
      case "answers garbage":
        this.#says = "garbage";
        return;
      case "answers what was true before":
        this.#says = "past";
        return;
      case "answers in any order":
        this.#says = "any";
        return;
      case "tells the truth":
        this.#says = "truth";
        return;
      case "freezes the site":
      case "freezes all":
      case "freezes with garbage":
      case "thaws":
        this.#freeze(act);
        return;
      case "revokes":
        this.#gives = false;
        this.#write({ schema: "linkseal.permit/1", withdrawn: true });
        return;
      case "permits":
        this.#gives = true;
        this.#permit({}, goodMs);
        return;
      case "permits for a moment":
        this.#permit({}, momentMs);
        return;
      case "permits another campaign":
        this.#permit({ nonce: "0".repeat(32) }, goodMs);
        return;
      case "permits another site":
        this.#permit({ site: "elsewhere" }, goodMs);
        return;
      case "permits other keys":
        this.#permit({ keys: [{ link: "primary", old: null, new: null }] }, goodMs);
        return;
      case "permits another config":
        this.#permit({ config: { number: 77, sha256: "0".repeat(64) } }, goodMs);
        return;
      case "permits what is over":
        this.#permit({}, -overMs);
        return;
    }
  }

  /** From now on all is as it should be, and each ask gets a permit. */
  heal(): void {
    for (const act of ["comes back", "answers at once", "tells the truth", "thaws"] as const) {
      this.do(act);
    }
    this.do("permits");
    this.#isHonest = true;
  }

  /** The newest ask; undefined = there is none. */
  get ask(): Ask | undefined {
    const { site, group } = this.#parts;
    const subject = keySubject("linkseal-asks", groupKey(site, group));
    const found = this.messages.findLast((each) => each.subject === subject);
    return found && parseAsk(found.octets);
  }

  #permit(over: Partial<Permit>, ms: number): void {
    const { ask } = this;
    if (ask === undefined) return;
    const { nonce, site, group, kind, config, keys } = ask;
    const notAfter = (this.#parts.clock.wall() + ms) as WallTime;
    const permit = { nonce, site, group, kind, config, keys, wave: null, notAfter, ...over };
    this.#write(permitOctets(permit));
  }

  #write(record: Uint8Array | object): void {
    const { site, group } = this.#parts;
    const octets =
      record instanceof Uint8Array ? record : new TextEncoder().encode(JSON.stringify(record));
    void super.put("linkseal-permits", groupKey(site, group), octets);
  }

  #freeze(act: "freezes the site" | "freezes all" | "freezes with garbage" | "thaws"): void {
    const { clock, site } = this.#parts;
    const keys = { site: siteFreezeKey(site), all: fleetFreezeKey };
    const freeze = (state: Freeze["state"]): Uint8Array =>
      freezeOctets({ state, at: clock.wall(), by: "a person", why: "a test" });
    const put = (key: string, octets: Uint8Array): void => {
      void super.put("linkseal-freeze", key, octets);
    };
    if (act === "freezes the site") put(keys.site, freeze("frozen"));
    if (act === "freezes all") put(keys.all, freeze("frozen"));
    if (act === "freezes with garbage") put(keys.all, new TextEncoder().encode("frozen, I think"));
    if (act !== "thaws") return;
    for (const key of Object.values(keys)) put(key, freeze("thawed"));
  }
}
