// When campaigns asked for new SAKs: the session of such a link is not one that churns.

import type { Instant } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";

/** Requests kept per link: more than a campaign makes in an evidence window. */
const requestsMax = 24;

/** The newest requests for SAKs that routers accepted. */
export class AskedSaks {
  readonly #requests = new Map<string, readonly Instant[]>();

  /** Notes that the link's router accepted a request at that time. */
  add(link: DesiredLink, at: Instant): void {
    this.#requests.set(linkId(link), [...this.of(link), at].slice(-requestsMax));
  }

  /** The times of the requests, the oldest first. */
  of(link: DesiredLink): readonly Instant[] {
    return this.#requests.get(linkId(link)) ?? [];
  }
}
