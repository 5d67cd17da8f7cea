// A PUT carries both links of a port. If another writer changes the other link between our GET and
// our PUT, our PUT takes that change back. Azure documents no condition for the PUT, so that it
// can only be noticed: each document that is read until the end of our operation is compared.

import type { LinkSetting } from "#hal/device.ts";
import { type Clock, type Instant, instantAfter } from "#hal/world.ts";
import { type AzureLink, OddDocument, stateOf } from "./expressroute-document.ts";

/** Another writer's change of a link, as `PeerDetails.lostUpdate` has it. */
interface LostUpdate {
  readonly ours: LinkSetting;
  readonly theirs: LinkSetting;
}

/** A write of ours whose end has not been seen. */
interface Watched {
  /** The link that it changes. */
  readonly written: AzureLink;
  /** The setting of the other link in the document that it was made from. */
  readonly ours: LinkSetting;
  /** Reads with a higher number began after that document was read. */
  readonly after: number;
  /** `sent`: Azure has it, with this operation; undefined = none, or its answer was lost. */
  readonly stage:
    | { readonly kind: "sending" }
    | { readonly kind: "sent"; readonly operation: string | undefined };
}

/** One read of a document. */
export interface DocumentSeen {
  readonly resource: string;
  readonly document: unknown;
  /** Number of the read, from `reading`. */
  readonly number: number;
  /** The link that was read for, with the operation that its journal names last. */
  readonly link: AzureLink;
  readonly operation: string | undefined;
  readonly isAtRest: boolean;
}

interface Found extends LostUpdate {
  readonly link: AzureLink;
  readonly until: Instant;
}

/** How long a found change is reported, in milliseconds; nothing else ends it. */
const reportedMs = 24 * 3_600_000;

const other = (link: AzureLink): AzureLink => (link === "link1" ? "link2" : "link1");

/** The writes of this process; a restart forgets them. */
export class Updates {
  readonly #clock: Pick<Clock, "now">;
  #reads = 0;
  /** By resource id in lower case. */
  readonly #watched = new Map<string, Watched>();
  readonly #found = new Map<string, readonly Found[]>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Returns the number of a read that begins now. */
  reading(): number {
    this.#reads += 1;
    return this.#reads;
  }

  /** A write of one link, made from this document, is about to be sent. */
  sending(resource: string, document: unknown, written: AzureLink): void {
    const key = resource.toLowerCase();
    const ours = settingOf(document, other(written));
    if (ours === undefined) {
      this.#watched.delete(key);
      return;
    }
    const stage = { kind: "sending" } as const;
    this.#watched.set(key, { written, ours, after: this.#reads, stage });
  }

  /** Azure has the write, or may have it. */
  sent(resource: string, operation: string | undefined): void {
    const watched = this.#watched.get(resource.toLowerCase());
    if (watched === undefined) return;
    const stage = { kind: "sent", operation } as const;
    this.#watched.set(resource.toLowerCase(), { ...watched, stage });
  }

  /** Azure refused the write. */
  refused(resource: string): void {
    this.#watched.delete(resource.toLowerCase());
  }

  /** Compares a document; the first one after the end of our operation is the last. */
  read({ resource, document, number, ...from }: DocumentSeen): void {
    const key = resource.toLowerCase();
    const watched = this.#watched.get(key);
    if (watched === undefined || number <= watched.after) return;
    const { written, ours, stage } = watched;
    const link = other(written);
    const theirs = settingOf(document, link);
    if (theirs !== undefined && !isSame(ours, theirs)) {
      const until = instantAfter(this.#clock.now(), reportedMs);
      const others = this.#of(key).filter((each) => each.link !== link);
      this.#found.set(key, [...others, { link, ours, theirs, until }]);
    }
    if (stage.kind === "sending" || from.link !== written || !from.isAtRest) return;
    const isOurs = stage.operation === undefined || stage.operation === from.operation;
    if (isOurs) this.#watched.delete(key);
  }

  /** Returns what was found about a link; undefined = nothing. */
  of(resource: string, link: AzureLink): LostUpdate | undefined {
    const found = this.#of(resource.toLowerCase()).find((each) => each.link === link);
    return found === undefined ? undefined : { ours: found.ours, theirs: found.theirs };
  }

  #of(key: string): readonly Found[] {
    const now = this.#clock.now();
    return (this.#found.get(key) ?? []).filter(({ until }) => now < until);
  }
}

/** Returns the setting of a link; undefined = it is not understood, and so not compared. */
function settingOf(document: unknown, link: AzureLink): LinkSetting | undefined {
  try {
    const { pointsAt, suite, sci, admin } = stateOf(document, link);
    return { pointsAt, suite, sci, admin };
  } catch (error) {
    if (!(error instanceof OddDocument)) throw error;
    return undefined;
  }
}

function isSame(a: LinkSetting, b: LinkSetting): boolean {
  return (
    a.pointsAt?.cakSecretId === b.pointsAt?.cakSecretId &&
    a.pointsAt?.cknSecretId === b.pointsAt?.cknSecretId &&
    a.suite === b.suite &&
    a.sci === b.sci &&
    a.admin === b.admin
  );
}
