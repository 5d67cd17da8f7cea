// Reads what a site has published: its heads, and its newest report. It needs no consumer: each
// read asks for the next message of the site's subject.

import { LinksealError } from "#hal/error.ts";
import { type Head, headsIn } from "../evidence/report/head.ts";
import { headBytesMax, messageBytesMax } from "../fleet/engine.ts";
import { readOf } from "../fleet/nats-engine.ts";
import type { NatsSession } from "../fleet/nats-session.ts";
import { newestSubject, streamSubject } from "../fleet/subjects.ts";

/** As many as the stream keeps of a site (`stores`). */
const headsMax = 100_000;

/**
 * Returns the heads that a site has published, the oldest first; a message without exactly one head
 * is left out, and counted in `other`.
 * @throws LinksealError
 */
export async function publishedHeads(
  session: NatsSession,
  site: string,
): Promise<{ readonly heads: readonly Head[]; readonly other: number }> {
  const heads: Head[] = [];
  const subject = streamSubject("LINKSEAL-HEADS", site);
  let other = 0;
  for (let seq = 1; ; ) {
    const body = JSON.stringify({ seq, next_by_subj: subject });
    const reply = await session.ask("$JS.API.DIRECT.GET.LINKSEAL-HEADS", body, headBytesMax);
    const read = readOf(reply);
    // A copied reply has two places and no number that can be trusted: the stream has been forged.
    if (read.kind === "absent") return { heads, other };
    // An engine that goes back, or never ends, would keep this busy for ever.
    const isNext = read.kind === "value" && read.revision >= seq;
    if (!isNext || heads.length + other >= headsMax) throw unreadable(subject);
    const found = headsIn(new TextDecoder("latin1").decode(read.octets));
    if (found.length === 1) heads.push(...found);
    else other += 1;
    seq = read.revision + 1;
  }
}

/**
 * Returns the newest head that a site has published; undefined = none, or none that can be read.
 * @throws LinksealError
 */
export async function newestHead(
  session: Pick<NatsSession, "ask">,
  site: string,
): Promise<Head | undefined> {
  const subject = newestSubject("LINKSEAL-HEADS", streamSubject("LINKSEAL-HEADS", site));
  const read = readOf(await session.ask(subject, "", headBytesMax));
  if (read.kind !== "value") return undefined;
  const found = headsIn(new TextDecoder("latin1").decode(read.octets));
  return found.length === 1 ? found[0] : undefined;
}

/**
 * Returns the newest report that a site has published; undefined = it has published none.
 * @throws LinksealError
 */
export async function publishedReport(
  session: NatsSession,
  site: string,
): Promise<Uint8Array | undefined> {
  const subject = streamSubject("LINKSEAL-REPORTS", site);
  const reply = await session.ask(newestSubject("LINKSEAL-REPORTS", subject), "", messageBytesMax);
  const read = readOf(reply);
  if (read.kind === "value") return read.octets;
  if (read.kind === "absent") return undefined;
  throw unreadable(subject);
}

function unreadable(subject: string): LinksealError {
  return new LinksealError("device.unparsed", `the engine does not show what is on ${subject}`, {
    ...{ effect: "none", where: subject, next: "linkseal hub doctor" },
  });
}
