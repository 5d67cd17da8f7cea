// Follows long work: prints events as lines, until the campaigns have come as far as they can.

import type { EventsAfter, LinksealEvent } from "../model/events.ts";
import { visible } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Session } from "./session.ts";
import { continuation } from "./status-text.ts";

const pollMs = 1_000;

export interface Follow {
  readonly groups: readonly string[];
  /** Number of the last event that was shown. */
  readonly after: number;
  /**
   * `ended`: until done or stopped. `parked`: also until it waits for a check, a window or an
   * operator.
   */
  readonly until: "ended" | "parked";
  /**
   * How long the state must stay the same, in milliseconds, because the agent takes each step in a
   * turn of its loop.
   */
  readonly quietMs: number;
}

/**
 * Prints events until the campaigns of the groups rest; resolves to these campaigns. Ctrl-C ends
 * the command alone, and it says so.
 */
export async function follow(session: Session, asked: Follow): Promise<readonly CampaignShape[]> {
  const interrupt = (): void => {
    session.note(`\n${interruptedText(asked.groups)}`);
    // The shell has to see that the signal ended the command.
    process.kill(process.pid, "SIGINT");
  };
  process.once("SIGINT", interrupt);
  try {
    return await followed(session, asked);
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}

/** Returns what an operator reads who interrupts a command that waits. */
function interruptedText(groups: readonly string[]): string {
  const [only] = groups;
  const show = `linkseal rotation show${groups.length === 1 ? ` ${only}` : ""}`;
  return [
    "Interrupted: this command ends, and the agent goes on with what was begun.",
    `  next: ${show}, or linkseal events -f`,
  ].join("\n");
}

async function followed(session: Session, asked: Follow): Promise<readonly CampaignShape[]> {
  let { after } = asked;
  let stillSince = performance.now();
  let moves = 0;
  for (let before = ""; ; ) {
    const { events, lost } = await eventsAfter(session, { after, waitMs: pollMs });
    if (lost > 0) session.note(lostLine(lost));
    for (const event of events) session.note(eventLine(event));
    after = events.at(-1)?.n ?? after;
    const campaigns = (await allCampaigns(session)).filter(({ group }) =>
      asked.groups.includes(group),
    );
    const now = campaigns.map(placeOf).join();
    if (now !== before) {
      stillSince = performance.now();
      moves += 1;
      for (const campaign of campaigns) callFor(session, campaign);
    }
    before = now;
    // A campaign that was seen running and has ended needs no quiet time: nothing follows it.
    const ended = moves > 1 && campaigns.every(({ state }) => rests(state, "ended"));
    const still = ended || performance.now() - stillSince >= asked.quietMs;
    if (still && campaigns.every(({ state }) => rests(state, asked.until))) return campaigns;
  }
}

/** What a follower compares: the state, and whether an operator's command has become due. */
function placeOf({ group, link, state, farEnd }: CampaignShape): string {
  return `${group}/${link} ${state} ${farEnd?.when ?? ""}`;
}

/** Shows an operator who only waits which command has to follow. */
function callFor(session: Session, campaign: CampaignShape): void {
  const { farEnd } = campaign;
  const change = farEnd?.when === "now" ? (farEnd.command ?? farEnd.note) : null;
  const next = change ?? continuation(campaign);
  if (next !== undefined) session.note(`  waits for an operator: ${visible(next)}`);
}

function rests(state: CampaignShape["state"], until: Follow["until"]): boolean {
  if (state === "done" || state === "held") return true;
  return until === "parked" && ["queued", "gated", "awaitingPeer"].includes(state);
}

export async function allCampaigns(session: Session): Promise<readonly CampaignShape[]> {
  const path = "/v1/rotation";
  const { campaigns } = await session.view<{ campaigns: readonly CampaignShape[] }>(path);
  return campaigns;
}

/** Which events are asked for. */
interface EventsWanted {
  /** Number of the last event that is known; 0 = none. */
  readonly after: number;
  /** How long to wait for the next event if there is none yet; absent = not at all. */
  readonly waitMs?: number;
  /** How many at most, the newest of them; absent = all. */
  readonly newest?: number;
}

/** Reads the events after a number, and how many of them the agent has dropped. */
export async function eventsAfter(
  session: Session,
  { after, waitMs, newest }: EventsWanted,
): Promise<EventsAfter> {
  const query = new URLSearchParams({ after: String(after) });
  if (waitMs !== undefined) query.set("waitMs", String(waitMs));
  if (newest !== undefined) query.set("newest", String(newest));
  return await session.view<EventsAfter>(`/v1/events?${query.toString()}`);
}

/** Reads the number of the newest event; 0 = there is none. */
export async function lastEvent(session: Session): Promise<number> {
  return (await eventsAfter(session, { after: 0, newest: 1 })).events.at(-1)?.n ?? 0;
}

/** Returns the line that stands for events which the agent has dropped. */
export function lostLine(lost: number): string {
  const what = lost === 1 ? "1 event was" : `${lost} events were`;
  return `${what} missed: the agent keeps no more; linkseal report has what was recorded`;
}

/** Returns an event as one line that is safe on a terminal. */
export function eventLine({ at, code, about, text }: LinksealEvent): string {
  return `${visible(at)}  ${visible(about)}  ${visible(text)} (${visible(code)})`;
}
