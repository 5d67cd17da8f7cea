// All names that sites and hubs share on the engine: buckets, streams, subjects and keys. A site's
// rights are lists of subjects of this file, and no name is written elsewhere.

/** A key-value bucket: its newest value of each key counts. */
export type Bucket =
  /** Key SITE: the site's newest status, written by the site. */
  | "linkseal-status"
  /** Key SITE.GROUP: what a group's campaign asks for, written by the site. */
  | "linkseal-asks"
  /** Key SITE.GROUP: the permit for an ask, written by a hub. */
  | "linkseal-permits"
  /** Key WAVE: the record of a wave, which a hub changes by compare-and-set; `hub.lease`. */
  | "linkseal-waves"
  /** Key `fleet` or `site.SITE`: nothing that takes a link begins, written by a hub. */
  | "linkseal-freeze"
  /** Key SITE: the newest signed proposal for the site, written by a hub. */
  | "linkseal-proposals";

/** A stream that only grows: a site can add to its own subject and take nothing back. */
export type Stream =
  /** Records of the audit log, one a message. */
  | "LINKSEAL-EVENTS"
  /** Heads of the audit log, one a message. */
  | "LINKSEAL-HEADS"
  /** Finished signed reports, one a message. */
  | "LINKSEAL-REPORTS";

/** The buckets, in the order in which a hub makes them. */
export const buckets = [
  "linkseal-status",
  "linkseal-asks",
  "linkseal-permits",
  "linkseal-waves",
  "linkseal-freeze",
  "linkseal-proposals",
] as const satisfies readonly Bucket[];

const subjectOf = {
  "LINKSEAL-EVENTS": "linkseal.events",
  "LINKSEAL-HEADS": "linkseal.heads",
  "LINKSEAL-REPORTS": "linkseal.reports",
} as const satisfies Readonly<Record<Stream, string>>;

/** The streams, in the order in which a hub makes them. */
export const streams = Object.keys(subjectOf) as readonly Stream[];

/** Returns the subject on which a site adds to a stream. `site`: its name, or `*`. */
export const streamSubject = (stream: Stream, site: string): string =>
  `${subjectOf[stream]}.${site}`;

/** Returns the subject of a key of a bucket; a client of key-value buckets uses the same one. */
export const keySubject = (bucket: Bucket, key: string): string => `$KV.${bucket}.${key}`;

/** Returns the name of the stream that keeps a bucket. */
export const bucketStream = (bucket: Bucket): string => `KV_${bucket}`;

/**
 * Returns the subject of a request for the newest message of a subject. It names stream and
 * subject, so that a right to it is a right to that subject alone.
 */
export const newestSubject = (stream: string, subject: string): string =>
  `$JS.API.DIRECT.GET.${stream}.${subject}`;

/** The key of a site in `linkseal-status`. */
export const statusKey = (site: string): string => site;

/** The key of a group in `linkseal-asks` and `linkseal-permits`. */
export const groupKey = (site: string, group: string): string => `${site}.${group}`;

/** The key in `linkseal-freeze` that counts for all sites; that of one site is `site.SITE`. */
export const fleetFreezeKey = "fleet";

/** The key in `linkseal-freeze` that counts for one site. */
export const siteFreezeKey = (site: string): string => `site.${site}`;

/** The key in `linkseal-waves` of the lease by which one hub leads: no wave can have this name. */
export const leaseKey = "hub.lease";

/** The key of a site in `linkseal-proposals`. */
export const proposalKey = (site: string): string => site;

/** Prefix of the subjects on which replies to a site arrive: no other site can subscribe to it. */
export const inboxPrefix = (site: string): string => `linkseal.inbox.${site}`;

/** The rights of a site's user; what is not in a list is refused. */
export interface SiteRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Returns the least rights with which a site can do all that it does. */
export function siteRights(site: string): SiteRights {
  const ownKeys: readonly (readonly [Bucket, string])[] = [
    ["linkseal-status", statusKey(site)],
    ["linkseal-asks", groupKey(site, "*")],
  ];
  const hubKeys: readonly (readonly [Bucket, string])[] = [
    ["linkseal-permits", groupKey(site, "*")],
    ["linkseal-freeze", fleetFreezeKey],
    ["linkseal-freeze", siteFreezeKey(site)],
    ["linkseal-proposals", proposalKey(site)],
  ];
  return {
    publish: [
      ...ownKeys.map(([bucket, key]) => keySubject(bucket, key)),
      ...streams.map((stream) => streamSubject(stream, site)),
      ...[...ownKeys, ...hubKeys].map(([bucket, key]) =>
        newestSubject(bucketStream(bucket), keySubject(bucket, key)),
      ),
      ...streams.map((stream) => newestSubject(stream, streamSubject(stream, site))),
    ],
    subscribe: [`${inboxPrefix(site)}.>`],
  };
}
