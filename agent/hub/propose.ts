// What a hub reads and writes for a proposal: the config that a site has published as accepted, and
// the site's key in `linkseal-proposals`.

import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import { valueBytesMax } from "../fleet/engine.ts";
import { readOf, writtenOf } from "../fleet/nats-engine.ts";
import type { NatsSession } from "../fleet/nats-session.ts";
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

function configIn(octets: Uint8Array): PublishedConfig | undefined {
  try {
    const text = new TextDecoder().decode(octets);
    const status = objectIn(parseJson(text, { characters: valueBytesMax, values: 10_000 }));
    const { number, sha256 } = objectIn(status?.["config"]) ?? {};
    const isConfig = typeof number === "number" && Number.isSafeInteger(number) && number > 0;
    if (!isConfig || typeof sha256 !== "string") return undefined;
    return /^[0-9a-f]{64}$/.test(sha256) ? { number, sha256 } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

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

const objectIn = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
