// What the hub permits, as it was last read from the engine. A campaign that asks is answered at
// once: no turn of the agent waits for the engine. A doubt is an answer, and it withholds.

import type { Clock, Instant } from "#hal/world.ts";
import type { Asked, AskedKey, Permit } from "../../fleet/records.ts";
import { type Campaign, entryOf, type PortFacts } from "../../model/campaign.ts";
import type { Desired, RiskName } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import type { LinkSnapshot } from "../../model/link-snapshot.ts";
import type { Cause, CauseOf, PermitCause } from "../../model/reason.ts";
import { isUntaken, needsPermit } from "../../rotation/permit.ts";
import { clocksApart } from "../../rotation/preconditions.ts";
import type { IntentStore } from "../../store/intent/intent.ts";
import type { Effects } from "./effects.ts";

/** A reading counts for so long, in milliseconds. */
const readingMsMax = 60_000;

/** A permit as it was read; what judges it is loaded only where there is an engine. */
interface ReadPermit extends Pick<Permit, "notAfter"> {
  /** Returns true if it names exactly what is asked for. */
  readonly isFor: (asked: Asked) => boolean;
}

/** What the engine held for a group, all of it read in one go. */
export interface PermitReading {
  /** When the first of its reads was sent. */
  readonly begunAt: Instant;
  /** The permit; undefined = there is none, or it cannot be parsed. */
  readonly permit: ReadPermit | undefined;
  /** Who is frozen; `unreadable`: there is a record that is none. */
  readonly freeze: "none" | "fleet" | "site" | "unreadable";
}

interface PermitCacheParts {
  readonly clock: Pick<Clock, "now" | "wall">;
  /** The accepted configs. */
  readonly intents: Pick<IntentStore, "desired" | "history">;
}

/** The link that a group asks for, and what was read since it began to. */
interface Wanted {
  readonly turn: string;
  readonly since: Instant;
  reading: PermitReading | undefined;
}

/** The permits of all groups. */
export class PermitCache {
  readonly #parts: PermitCacheParts;
  readonly #wanted = new Map<string, Wanted>();

  constructor(parts: PermitCacheParts) {
    this.#parts = parts;
  }

  /**
   * Returns what a campaign asks a hub for; undefined = it cannot ask, because an earlier version
   * began it or its config cannot be read.
   */
  askedBy({ nonce, group, kind, intent, links }: Campaign): Asked | undefined {
    const { intents } = this.#parts;
    const site = intents.desired(intent)?.site;
    const sha256 = intents.history().find(({ number }) => number === intent)?.sha256;
    if (nonce === undefined || site === undefined || sha256 === undefined) return undefined;
    const keys = links.map(
      ({ name, old, new: next }): AskedKey => ({
        link: name,
        old: old?.key.ckn ?? null,
        new: kind === "change" ? null : next.key.ckn,
      }),
    );
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
    const { reading } = this.#wantedBy(campaign);
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

  #wantedBy(campaign: Campaign): Wanted {
    const { group, nonce } = campaign;
    const turn = `${nonce} ${entryOf(campaign).name}`;
    const known = this.#wanted.get(group);
    if (known?.turn === turn) return known;
    const wanted: Wanted = { turn, since: this.#parts.clock.now(), reading: undefined };
    this.#wanted.set(group, wanted);
    return wanted;
  }

  /** Returns the groups whose campaigns have asked for a link. */
  get groups(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  /** Takes what was read for a group; undefined = the engine could not be read. */
  take(group: string, reading: PermitReading | undefined): void {
    const wanted = this.#wanted.get(group);
    if (wanted === undefined) return;
    // What was read before the link's turn says nothing of it.
    const isTimely = reading !== undefined && reading.begunAt >= wanted.since;
    wanted.reading = isTimely ? reading : undefined;
  }

  /** Forgets all readings: the engine is lost, or it is another one. */
  forget(): void {
    for (const wanted of this.#wanted.values()) wanted.reading = undefined;
  }
}

/** What the permit of a link depends on, beside the campaign. */
export interface WithheldParts {
  readonly world: { readonly clock: Pick<Clock, "now" | "wall"> };
  readonly effects: Pick<Effects, "mayLose">;
  readonly desired: Pick<Desired, "fleet">;
  readonly permits: Pick<PermitCache, "withheld">;
  readonly accepts: (risk: RiskName) => boolean;
}

/**
 * Returns why no permit lets a campaign take its link now; undefined = it may, needs none, or has
 * taken it. The times of a permit mean nothing while it is not known whose clock is right.
 */
export function withheldLink(
  { world, effects, desired, permits, accepts }: WithheldParts,
  campaign: Campaign,
  port: PortFacts | undefined,
  snapshot: LinkSnapshot,
): Cause | undefined {
  if (!isUntaken(campaign, port) || !needsPermit(desired, campaign, accepts)) return undefined;
  // A drain that the router has accepted took the link, although no observation shows it yet.
  if (campaign.state === "draining" && effects.mayLose(world.clock.now())) return undefined;
  const isDoubtful = clocksApart(snapshot, world.clock.wall());
  return permits.withheld(campaign) ?? (isDoubtful ? { code: "clocks.apart" } : undefined);
}
