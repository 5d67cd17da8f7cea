// What a site's user must not be able to do, as calls that change nothing even where they are
// allowed: a request of JetStream's API has a content that it refuses, and a write expects a
// revision that no key has.

import {
  type Bucket,
  bucketStream,
  fleetFreezeKey,
  groupKey,
  inboxPrefix,
  keySubject,
  newestSubject,
  proposalKey,
  type Stream,
  siteFreezeKey,
  statusKey,
  streamSubject,
} from "./subjects.ts";

/** A call of a site's user that the engine must refuse. */
export interface ForbiddenCall {
  /** What it would do, as the rest of a sentence that begins with "the site's user can". */
  readonly what: string;
  readonly verb: "publish" | "subscribe";
  readonly subject: string;
}

/** No site has this name: a config refuses it, because it begins with a hyphen. */
export const otherSite = "-other";

const pub = (what: string, subject: string): ForbiddenCall => ({ what, verb: "publish", subject });
const sub = (what: string, subject: string): ForbiddenCall => ({
  ...{ what, verb: "subscribe", subject },
});
const put = (what: string, bucket: Bucket, key: string): ForbiddenCall =>
  pub(what, keySubject(bucket, key));
const add = (what: string, stream: Stream, site: string): ForbiddenCall =>
  pub(what, streamSubject(stream, site));
const read = (what: string, bucket: Bucket, key: string): ForbiddenCall =>
  pub(what, newestSubject(bucketStream(bucket), keySubject(bucket, key)));

/** The content of every call: no JSON, so that JetStream's API refuses it after the rights. */
export const forbiddenContent = new TextEncoder().encode("{");
/** The headers of every call: no key has this revision. */
export const forbiddenHeaders = { "Nats-Expected-Last-Subject-Sequence": "999999999999" } as const;

/** Returns the calls that the user of this site must not be able to make. */
export function forbiddenCalls(site: string): readonly ForbiddenCall[] {
  const [permits, events] = [bucketStream("linkseal-permits"), "LINKSEAL-EVENTS"];
  return [
    put("write the status of another site", "linkseal-status", statusKey(otherSite)),
    put("ask in the name of another site", "linkseal-asks", groupKey(otherSite, "g")),
    put("write a permit of its own", "linkseal-permits", groupKey(site, "g")),
    put("write a permit of another site", "linkseal-permits", groupKey(otherSite, "g")),
    put("write a wave", "linkseal-waves", "w"),
    put("write or end the freeze of all", "linkseal-freeze", fleetFreezeKey),
    put("write or end its own freeze", "linkseal-freeze", siteFreezeKey(site)),
    put("write a proposal of its own", "linkseal-proposals", proposalKey(site)),
    put("write a proposal of another site", "linkseal-proposals", proposalKey(otherSite)),
    add("add an audit record of another site", "LINKSEAL-EVENTS", otherSite),
    add("add a head of another site", "LINKSEAL-HEADS", otherSite),
    add("add a report of another site", "LINKSEAL-REPORTS", otherSite),
    read("read the status of another site", "linkseal-status", statusKey(otherSite)),
    read("read a permit of another site", "linkseal-permits", groupKey(otherSite, "g")),
    read("read a proposal of another site", "linkseal-proposals", proposalKey(otherSite)),
    read("read a wave", "linkseal-waves", "w"),
    pub("read any message by its number", `$JS.API.DIRECT.GET.${permits}`),
    pub("read any message by the API", `$JS.API.STREAM.MSG.GET.${permits}`),
    pub("create a consumer", `$JS.API.CONSUMER.CREATE.${events}`),
    pub(
      "create a consumer with a wider filter",
      `$JS.API.CONSUMER.CREATE.${events}.c.linkseal.events.>`,
    ),
    pub("create a durable consumer", `$JS.API.CONSUMER.DURABLE.CREATE.${permits}.c`),
    pub("purge a stream", `$JS.API.STREAM.PURGE.${events}`),
    pub("delete a stream", `$JS.API.STREAM.DELETE.${events}`),
    pub("delete a message", `$JS.API.STREAM.MSG.DELETE.${events}`),
    pub("change a stream, such as to republish it", `$JS.API.STREAM.UPDATE.${events}`),
    pub("create a bucket, or a stream that mirrors one", "$JS.API.STREAM.CREATE.KV_other"),
    pub("take a copy of a stream", `$JS.API.STREAM.SNAPSHOT.${permits}`),
    pub("list the streams", "$JS.API.STREAM.NAMES"),
    pub("read the description of a stream", `$JS.API.STREAM.INFO.${events}`),
    pub("ask the system account", "$SYS.REQ.SERVER.PING"),
    sub("see the system's events", "$SYS.>"),
    sub("see every message", ">"),
    sub("see replies to clients of NATS's own prefix", "_INBOX.>"),
    sub("see replies to another site", `${inboxPrefix(otherSite)}.>`),
    sub("see replies to hubs", "linkseal.hub.>"),
    sub("see audit records as they are added", "linkseal.events.>"),
    sub("see keys as they are written", "$KV.>"),
    sub("see JetStream's advice", "$JS.EVENT.>"),
  ];
}
