// Publishes what a site has to say to its hub: status, audit records, heads and finished reports.
// Nothing in the agent waits for it: it looks at the agent, asks the engine, and keeps of each kind
// one message at most, so that an engine that is dead, slow, full or lying costs no loop any time.

import type { World } from "#hal/world.ts";
import { headText } from "../../evidence/report/head.ts";
import { madeReport } from "../../evidence/report/made.ts";
import { reportFile } from "../../evidence/report/statement.ts";
import { momentText } from "../../evidence/report/time.ts";
import { confirmedUntil, recordedSince } from "../../evidence/report/timeline.ts";
import { publicKeyOf, verifyReport } from "../../evidence/report/verify.ts";
import type { FleetEngine, Written } from "../../fleet/engine.ts";
import { statusKey } from "../../fleet/subjects.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import { AuditFeed } from "./audit-feed.ts";
import { statusOctets } from "./status-document.ts";

/** A change is published this soon, in milliseconds, and the status at least this often. */
const changedMs = 1_000;
const unchangedMs = 30_000;
/** The time between two looks for a month that has ended, in milliseconds. */
const reportMs = 600_000;
/** After a failure the next attempt comes no sooner, in milliseconds. */
const retryMs = 30_000;

export interface PublisherParts {
  readonly agent: AgentView;
  readonly world: Pick<World, "clock" | "log">;
  readonly engine: FleetEngine;
  /** Calls back when the connection comes up, until the returned function is called. */
  readonly whenUp: (listener: () => void) => () => void;
  readonly site: string;
  readonly headsMs: number;
}

/** Runs until the signal aborts. */
export async function publish(parts: PublisherParts, end: AbortSignal): Promise<void> {
  const { agent, world, engine, site } = parts;
  const feed = new AuditFeed({ engine, evidence: agent.evidence, clock: world.clock, site });
  await Promise.all([
    feed.run(end),
    publishStatus(parts, feed, end),
    publishHeads(parts, end),
    publishReports(parts, end),
  ]);
}

async function publishStatus(
  { agent, world, engine, whenUp, site }: PublisherParts,
  feed: AuditFeed,
  end: AbortSignal,
): Promise<void> {
  const { clock } = world;
  let wake = new AbortController();
  const deaf = [agent.events.listen(() => wake.abort()), whenUp(() => wake.abort())];
  while (!end.aborted) {
    wake = new AbortController();
    if (engine.state.kind === "connected") {
      const octets = statusOctets(agent, clock.wall(), feed.progress);
      await engine.put("linkseal-status", statusKey(site), octets, end);
    }
    // Many events of one moment are one status.
    await clock.sleep(changedMs, end).catch(() => undefined);
    const until = AbortSignal.any([wake.signal, end]);
    await clock.sleep(unchangedMs - changedMs, until).catch(() => undefined);
  }
  for (const stop of deaf) stop();
}

async function publishHeads(
  { agent, world, engine, site, headsMs }: PublisherParts,
  end: AbortSignal,
): Promise<void> {
  const { clock } = world;
  let published = 0;
  while (!end.aborted) {
    let waitMs = Math.min(headsMs, retryMs);
    if (engine.state.kind === "connected") {
      const head = await agent.evidence.head();
      if (head === undefined || head.seq === published) waitMs = headsMs;
      else {
        const { host } = agent.evidence;
        const line = headText({ host, seq: head.seq, at: momentText(head.at), hash: head.mac });
        const octets = new TextEncoder().encode(line);
        const newest = await engine.newest("LINKSEAL-HEADS", site, end);
        // After a lost answer it may be there. If the engine does not say, twice is no harm.
        const isThere = newest.kind === "value" && Buffer.compare(newest.octets, octets) === 0;
        if (isThere || isDone(await engine.publish("LINKSEAL-HEADS", site, { octets }, end))) {
          published = head.seq;
          waitMs = headsMs;
        }
      }
    }
    await clock.sleep(waitMs, end).catch(() => undefined);
  }
}

async function publishReports(parts: PublisherParts, end: AbortSignal): Promise<void> {
  const { clock } = parts.world;
  let finished: string | undefined;
  while (!end.aborted) {
    let waitMs = retryMs;
    if (parts.engine.state.kind === "connected") {
      const { from, to } = lastMonth(clock.wall());
      const isDue = finished !== from;
      if (!isDue || (await publishReport(parts, { from, to }, end))) {
        finished = from;
        waitMs = reportMs;
      }
    }
    await clock.sleep(waitMs, end).catch(() => undefined);
  }
}

interface Month {
  /** First day, and the first day of the next month, in UTC. */
  readonly from: string;
  readonly to: string;
}

/** The calendar month, in UTC, before that of the moment. */
export function lastMonth(wall: number): Month {
  const now = new Date(wall);
  const day = (months: number): string =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months)).toISOString().slice(0, 10);
  return { from: day(-1), to: day(0) };
}

/** Publishes the report of a month; resolves to false if it has to be tried again. */
async function publishReport(
  { agent, world, engine, site }: PublisherParts,
  { from, to }: Month,
  end: AbortSignal,
): Promise<boolean> {
  const newest = await engine.newest("LINKSEAL-REPORTS", site, end);
  if (newest.kind !== "value" && newest.kind !== "absent") return false;
  // Its subject has room for 36 reports.
  if (newest.kind === "value" && isOwnReport(agent, newest.octets, from)) return true;
  const trail = await agent.evidence.read();
  const [since, until] = [recordedSince(trail), confirmedUntil(trail)];
  // There is nothing of that month, or its last minutes can still change.
  if (since === undefined || since >= Date.parse(to)) return true;
  if (until === undefined || until < Date.parse(to)) return false;
  const report = await madeReport(agent, { from, to });
  const octets = new TextEncoder().encode(reportFile(report));
  const message = { octets, after: newest.revision };
  const written = await engine.publish("LINKSEAL-REPORTS", site, message, end);
  if (written.kind === "refused" && written.reason === "tooLarge") {
    const size = `the report of ${from} has ${octets.length} octets`;
    const text = `${size}, which the engine does not take`;
    world.log.write("warn", "fleet-report", text, { next: `linkseal report --from ${from}` });
    return true;
  }
  return isDone(written);
}

/** True for a report of this log about the month that begins with that day. */
function isOwnReport(
  { evidence: { host, signer } }: AgentView,
  octets: Uint8Array,
  from: string,
): boolean {
  const key = publicKeyOf(signer.publicKey);
  const found = key === undefined ? undefined : verifyReport(octets, key);
  if (found?.kind !== "sound") return false;
  const { about } = found.report;
  return about.host === host && about.from.startsWith(from);
}

const isDone = ({ kind }: Written): boolean => kind === "ok";
