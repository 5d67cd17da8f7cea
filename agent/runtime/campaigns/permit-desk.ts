// What the hub permits, as it was last read from the engine. A campaign asks here and is answered at
// once: no turn of the agent waits for the engine. A doubt is an answer, and it withholds.

import type { Clock, Instant } from "#hal/world.ts";
import type { Asked, Permit } from "../../fleet/records.ts";
import { type Campaign, entryOf } from "../../model/campaign.ts";
import { isoTime } from "../../model/iso-time.ts";
import type { CauseOf, PermitCause } from "../../model/reason.ts";

/** A reading counts for so long, in milliseconds. */
export const readingMsMax = 60_000;

/** A permit as it was read; what judges it is loaded only where there is an engine. */
export interface ReadPermit extends Pick<Permit, "notAfter"> {
  /** Returns true if it names exactly what is asked for. */
  readonly isFor: (asked: Asked) => boolean;
}

/** What the engine held for a group, all of it read in one go. */
export interface PermitReading {
  /** When the first of its reads was sent. */
  readonly begunAt: Instant;
  /** undefined = there is none, or it cannot be parsed. */
  readonly permit: ReadPermit | undefined;
  /** `unreadable`: there is a record that is none. */
  readonly freeze: "none" | "fleet" | "site" | "unreadable";
}

export interface PermitDeskParts {
  readonly clock: Pick<Clock, "now" | "wall">;
  /** The name of the site in the accepted config. */
  readonly site: () => string | undefined;
  /** The SHA-256 of the accepted config with that number; undefined = there is none. */
  readonly sha256Of: (intent: number) => string | undefined;
}

/** The link that a group asks for, and what was read since it began to. */
interface Seat {
  readonly turn: string;
  readonly since: Instant;
  reading: PermitReading | undefined;
}

/** The permits of all groups. */
export class PermitDesk {
  readonly #parts: PermitDeskParts;
  readonly #seats = new Map<string, Seat>();

  constructor(parts: PermitDeskParts) {
    this.#parts = parts;
  }

  /**
   * Returns what a campaign asks a hub for; undefined = it cannot ask, because an earlier version
   * began it or its config cannot be read.
   */
  askedBy({ nonce, group, kind, intent, links }: Campaign): Asked | undefined {
    const site = this.#parts.site();
    const sha256 = this.#parts.sha256Of(intent);
    if (nonce === undefined || site === undefined || sha256 === undefined) return undefined;
    const keys = links.map(({ name, old, new: next }) => ({
      link: name,
      old: old?.key.ckn ?? null,
      new: kind === "change" ? null : next.key.ckn,
    }));
    return { nonce, site, group, kind, config: { number: intent, sha256 }, keys };
  }

  /**
   * Returns why the campaign may not take its next link; undefined = a permit that counts was read
   * within the last minute, and since the campaign first asked for this link.
   */
  withheld(campaign: Campaign): CauseOf<"gate.permit"> | undefined {
    const cause = this.#cause(campaign);
    return cause === undefined ? undefined : { code: "gate.permit", cause };
  }

  #cause(campaign: Campaign): PermitCause | undefined {
    const { clock } = this.#parts;
    const { reading } = this.#seatOf(campaign);
    const asked = this.askedBy(campaign);
    if (reading === undefined || clock.now() - reading.begunAt > readingMsMax) {
      return { code: "permit.unknown" };
    }
    const { permit, freeze } = reading;
    if (freeze === "unreadable") return { code: "permit.unreadable" };
    if (freeze !== "none") return { code: "permit.frozen", scope: freeze };
    if (permit === undefined) return { code: "permit.missing" };
    if (asked === undefined || !permit.isFor(asked)) return { code: "permit.other" };
    // A campaign that has begun goes on by its permit, as long as that is not taken back.
    if (campaign.at > 0 || clock.wall() < permit.notAfter) return undefined;
    return { code: "permit.expired", end: isoTime(permit.notAfter) };
  }

  #seatOf(campaign: Campaign): Seat {
    const { group, nonce } = campaign;
    const turn = `${nonce} ${entryOf(campaign).name}`;
    const known = this.#seats.get(group);
    if (known?.turn === turn) return known;
    const seat: Seat = { turn, since: this.#parts.clock.now(), reading: undefined };
    this.#seats.set(group, seat);
    return seat;
  }

  /** Returns the groups whose campaigns have asked for a link. */
  get groups(): readonly string[] {
    return [...this.#seats.keys()];
  }

  /** Takes what was read for a group; undefined = the engine could not be read. */
  take(group: string, reading: PermitReading | undefined): void {
    const seat = this.#seats.get(group);
    if (seat === undefined) return;
    // What was read before the link's turn says nothing of it.
    seat.reading = reading !== undefined && reading.begunAt >= seat.since ? reading : undefined;
  }

  /** Forgets all readings: the engine is lost, or it is another one. */
  forget(): void {
    for (const seat of this.#seats.values()) seat.reading = undefined;
  }
}
