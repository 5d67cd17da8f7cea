// Judges an engine: its settings, its streams, and the rights of a site's user by trying what it
// must not be able to do.

import { isObject, jsonIn } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { messageBytesMax } from "../fleet/engine.ts";
import { forbiddenCalls, otherSite } from "../fleet/forbidden-calls.ts";
import { readOf } from "../fleet/nats-engine.ts";
import type { NatsSession } from "../fleet/nats-session.ts";
import { type StoreSettings, stores } from "../fleet/stores.ts";
import {
  bucketStream,
  fleetFreezeKey,
  groupKey,
  keySubject,
  newestSubject,
  proposalKey,
  siteFreezeKey,
  statusKey,
  streamSubject,
  streams,
} from "../fleet/subjects.ts";
import { lookAtStores, type StoreRow } from "./setup.ts";

/** One thing that was checked. */
export interface HubFinding {
  /** Name of the check: a setting, a stream, or a call. */
  readonly check: string;
  /** `unknown` = it could not be checked. */
  readonly verdict: "good" | "bad" | "unknown";
  /** What was found, and what to do where it is not good. */
  readonly text: string;
}

const good = (check: string, text: string): HubFinding => ({ check, verdict: "good", text });
const bad = (check: string, text: string): HubFinding => ({ check, verdict: "bad", text });
const unknown = (check: string, text: string): HubFinding => ({
  ...{ check, verdict: "unknown", text },
});

/** Judges the streams. Throws LinksealError. */
export async function storeFindings(session: NatsSession): Promise<readonly HubFinding[]> {
  const findings: HubFinding[] = [];
  for (const row of await lookAtStores(session)) {
    findings.push(storeFinding(row), ...(await spaceFindings(session, row)));
  }
  return findings;
}

/** A stream is full enough to act at this part of its limit. */
const fullPart = 0.8;

/** Says how full a stream is, and which site has the most of it once that matters. */
async function spaceFindings(
  session: NatsSession,
  { name, state, space }: StoreRow,
): Promise<readonly HubFinding[]> {
  const store = stores.find((each) => each.name === name);
  if (store === undefined || (state.kind !== "asWanted" && state.kind !== "other")) return [];
  const check = `${name} space`;
  if (space === undefined) return [unknown(check, "the server does not say how full it is")];
  const part = `${space.bytes} of ${space.bytesMax} octets`;
  // A stream without a limit (-1) is told as one of other settings.
  if (space.bytesMax < 0 || space.bytes <= space.bytesMax * fullPart) return [good(check, part)];
  const then =
    store.discard === "new"
      ? "once it is full, it takes no more from any site"
      : "once it is full, the oldest messages of all sites go";
  const most = await mostIn(session, store);
  return [bad(check, `${part}: ${then}. ${most}See docs/fleet.md, "A full stream"`)];
}

/** Names the site with the most messages; nothing if the engine's list is too long to be read. */
async function mostIn(session: NatsSession, store: StoreSettings): Promise<string> {
  if (!isKeyed.has(store.name)) return "";
  const [pattern = ""] = store.subjects;
  const counts = await session.subjects(store.name, pattern).catch((error: unknown) => {
    if (error instanceof LinksealError) return undefined;
    throw error;
  });
  const words = pattern.split(".").length - 1;
  const sites = new Map<string, number>();
  for (const [subject, count] of Object.entries(counts ?? {})) {
    const site = subject.split(".")[words] ?? "";
    if (typeof count === "number") sites.set(site, (sites.get(site) ?? 0) + count);
  }
  const [first] = [...sites].toSorted(([, a], [, b]) => b - a);
  return first === undefined ? "" : `Site ${first[0]} has the most messages: ${first[1]}. `;
}

/** The streams whose subjects name the site that wrote. */
const isKeyed: ReadonlySet<string> = new Set([
  ...(["linkseal-status", "linkseal-asks"] as const).map(bucketStream),
  ...streams,
]);

function storeFinding({ name, state }: StoreRow): HubFinding {
  switch (state.kind) {
    case "made":
    case "asWanted":
      return good(name, "the stream has the settings that linkseal needs");
    case "missing":
      return bad(name, "there is no such stream: linkseal hub setup");
    case "other":
      return bad(name, `other settings than linkseal needs: ${state.settings.join(", ")}`);
    case "refused":
      return bad(name, `it cannot be read: ${state.why}`);
  }
}

/** Octets of the longest description of a server that is read. */
export const serverBytesMax = 1024 * 1024;

/**
 * Judges the server by its own description. `varz`: the octets of `/varz` of its monitoring port;
 * undefined = it was not asked.
 */
export function serverFindings(varz: Uint8Array | undefined): readonly HubFinding[] {
  const checks = ["sync", "tls", "payload", "store"];
  if (varz === undefined) {
    const text = "the server was not asked: name its monitoring port with --monitor";
    return checks.map((check) => unknown(check, text));
  }
  const found = jsonIn(varz, { octets: serverBytesMax, values: 10_000 });
  if (!isObject(found)) {
    return checks.map((check) => unknown(check, "the answer is not the description of a server"));
  }
  const { jetstream: engine } = found;
  const config = isObject(engine) ? engine["config"] : undefined;
  const jetstream = isObject(config) ? config : undefined;
  return [
    syncFinding(jetstream),
    found["tls_required"] === true
      ? good("tls", "clients need TLS")
      : bad(
          "tls",
          "clients need no TLS: add tls with handshake_first to the server's configuration",
        ),
    payloadFinding(found["max_payload"]),
    storeSizeFinding(jetstream),
  ];
}

function syncFinding(jetstream: Readonly<Record<string, unknown>> | undefined): HubFinding {
  if (jetstream === undefined) return bad("sync", "the server has no JetStream");
  return jetstream["sync_always"] === true
    ? good("sync", "a message is on the disk before it is acknowledged")
    : bad("sync", "a crash loses acknowledged messages: set sync_interval: always");
}

function payloadFinding(bytes: unknown): HubFinding {
  const least = messageBytesMax + 64 * 1024;
  if (typeof bytes !== "number") return unknown("payload", "the server does not say max_payload");
  return bytes >= least
    ? good("payload", `max_payload is ${bytes}`)
    : bad("payload", `max_payload is ${bytes}: a report needs ${least}`);
}

function storeSizeFinding(jetstream: Readonly<Record<string, unknown>> | undefined): HubFinding {
  const bytes = jetstream?.["max_storage"];
  const wanted = stores.reduce((sum, { max_bytes: each }) => sum + each, 0);
  if (typeof bytes !== "number") return unknown("store", "the server does not say max_file_store");
  return bytes >= wanted
    ? good("store", `the streams may take ${wanted} octets, and the server has ${bytes}`)
    : bad("store", `the streams may take ${wanted} octets, and the server has ${bytes}`);
}

/**
 * Judges the rights of a site's user. `hub`: a session of a hub, which looks whether a write got
 * through. Throws LinksealError.
 */
export async function rightsFindings(
  site: string,
  own: NatsSession,
  hub: NatsSession,
): Promise<readonly HubFinding[]> {
  const findings = [...(await servedFindings(site, own))];
  for (const call of forbiddenCalls(site)) {
    const outcome = await own.try(call);
    const check = `${call.verb} ${call.subject}`;
    if (outcome === "refused") findings.push(good(check, `the site's user cannot ${call.what}`));
    else if (outcome === "allowed") findings.push(bad(check, `the site's user can ${call.what}`));
    else findings.push(unknown(check, "the connection ended"));
  }
  findings.push(await replyFinding(site, own, hub));
  return findings;
}

/** The reads that a site's user must be able to make; an empty key answers that it is empty. */
function wantedReads(site: string): readonly string[] {
  const keys = [
    ["linkseal-status", statusKey(site)],
    ["linkseal-asks", groupKey(site, "g")],
    ["linkseal-permits", groupKey(site, "g")],
    ["linkseal-freeze", fleetFreezeKey],
    ["linkseal-freeze", siteFreezeKey(site)],
    ["linkseal-proposals", proposalKey(site)],
  ] as const;
  return [
    ...keys.map(([bucket, key]) => newestSubject(bucketStream(bucket), keySubject(bucket, key))),
    ...streams.map((stream) => newestSubject(stream, streamSubject(stream, site))),
  ];
}

/** Judges whether the site's requests reach the streams. */
async function servedFindings(site: string, own: NatsSession): Promise<readonly HubFinding[]> {
  const findings: HubFinding[] = [];
  for (const subject of wantedReads(site)) findings.push(await servedFinding(subject, own));
  return findings;
}

async function servedFinding(subject: string, own: NatsSession): Promise<HubFinding> {
  const check = `request ${subject}`;
  try {
    const read = readOf(await own.ask(subject, "", messageBytesMax));
    if (read.kind === "value" || read.kind === "absent") {
      return good(check, "the site's user has its answer");
    }
    if (read.kind === "refused" && read.reason === "missing") {
      const why = "no responder: the stream is missing, or the server knows the site from a reload";
      return bad(check, `${why} alone; run linkseal hub setup, then restart nats-server`);
    }
    return unknown(check, "the answer cannot be read");
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    if (error.code !== "transport.authentication") return unknown(check, error.message);
    return bad(check, "the site's user has no right to it: write the server's configuration anew");
  }
}

/** Exchanges with the server after which a reply has been written. */
const replyTurns = 20;

/**
 * Within one account a user has the server write to any subject: as the reply to a request. Only an
 * account of its own keeps a site from that.
 */
async function replyFinding(site: string, own: NatsSession, hub: NatsSession): Promise<HubFinding> {
  const stream = bucketStream("linkseal-status");
  const target = keySubject("linkseal-status", statusKey(otherSite));
  const read = async () => readOf(await hub.ask(newestSubject(stream, target), ""));
  const mine = newestSubject(stream, keySubject("linkseal-status", statusKey(site)));
  const check = `reply to ${target}`;
  const before = await read();
  if (before.kind !== "absent") {
    return unknown(check, `it cannot be tried: ${target} is not empty, or cannot be read`);
  }
  await own.reply(mine, target);
  for (let turn = 0; turn < replyTurns; turn += 1) {
    // The server writes a reply some time after it has read the request.
    await own.ask(mine, "");
    const after = await read();
    if (after.kind !== "absent" || after.revision !== before.revision) {
      return bad(
        check,
        "the site's user can write to any subject: give each site an account of its own",
      );
    }
  }
  return good(check, "the site's user cannot have the server write for it");
}
