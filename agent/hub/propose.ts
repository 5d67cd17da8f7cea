// What a hub reads and writes for a proposal: the config that a site has published as accepted, and
// the site's key in `linkseal-proposals`.

import { decoded, jsonIn, object, property } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { valueBytesMax } from "../fleet/engine.ts";
import { readOf, writtenOf } from "../fleet/nats-engine.ts";
import type { NatsSession } from "../fleet/nats-session.ts";
import { positive, sha256 } from "../fleet/records.ts";
import {
  bucketStream,
  keySubject,
  newestSubject,
  proposalKey,
  statusKey,
} from "../fleet/subjects.ts";

/** The config that a site has accepted, as its status names it. */
export interface PublishedConfig {
  /** Its number in the site's history. */
  readonly number: number;
  /** SHA-256 of its text, in lowercase hexadecimal. */
  readonly sha256: string;
}

/**
 * Returns the config that a site has accepted; undefined = it has published no status, or has none.
 * @throws LinksealError
 */
export async function publishedConfig(
  session: NatsSession,
  site: string,
): Promise<PublishedConfig | undefined> {
  const subject = keySubject("linkseal-status", statusKey(site));
  const request = newestSubject(bucketStream("linkseal-status"), subject);
  const read = readOf(await session.ask(request, "", valueBytesMax));
  if (read.kind === "absent") return undefined;
  if (read.kind !== "value") throw failed(`the engine does not show ${subject}`, "none");
  return configIn(read.octets);
}

const limits = { octets: valueBytesMax, values: 10_000 } as const;
const config = object<PublishedConfig>({ number: positive, sha256 });

const configIn = (octets: Uint8Array): PublishedConfig | undefined =>
  decoded(jsonIn(octets, limits), property("config", config));

/**
 * Writes the record of a site in place of the one that is there.
 * @throws LinksealError; effect "unknown" if the engine did not answer
 */
export async function putProposal(
  session: NatsSession,
  site: string,
  octets: Uint8Array,
): Promise<void> {
  const subject = keySubject("linkseal-proposals", proposalKey(site));
  const reply = await session.ask(subject, octets);
  const written = writtenOf(reply, bucketStream("linkseal-proposals"));
  if (written.kind === "ok") return;
  if (written.kind === "unknown")
    throw failed(`it is not known if ${subject} is written`, "unknown");
  throw failed(`the engine does not take ${subject} (${written.reason})`, "none");
}

function failed(text: string, effect: "none" | "unknown"): LinksealError {
  const next = "linkseal hub doctor";
  return new LinksealError("device.rejected", text, { effect, where: "engine", next });
}
