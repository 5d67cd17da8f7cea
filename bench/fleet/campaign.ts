// A campaign of a recorded site, as the hub sees one: it asks, waits for its permit as long as an
// agent does, is out of service for a while, and ends.

import { setTimeout as rest } from "node:timers/promises";
import type { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { type Ask, type AskState, askOctets, isFor, parsePermit } from "#agent/fleet/records.ts";
import { fleetFreezeKey, groupKey, siteFreezeKey } from "#agent/fleet/subjects.ts";
import { hostClock } from "#agent/host/clock.ts";
import { hostEntropy } from "#agent/host/entropy.ts";

/** As the agent reads the permit of a waiting group. */
const readMs = 5_000;
/** How long a link is out of service. */
export const campaignMs = 5_000;
/** The group of each site. */
export const group = "g";

/** What the process of the sites says of one of them, a line of JSON each. */
export interface CampaignLine {
  readonly site: string;
  readonly nonce: string;
  readonly what: "begun" | "ended";
}

/** Where a campaign is. */
export interface CampaignPlace {
  readonly site: string;
  readonly engine: NatsEngine;
  readonly end: AbortSignal;
  readonly tell: (line: CampaignLine) => void;
}

/** Carries one campaign out; a write that the engine does not take is repeated. */
export async function campaign({ site, engine, end, tell }: CampaignPlace): Promise<void> {
  const nonce = Buffer.from(hostEntropy.bytes(16)).toString("hex");
  const key = groupKey(site, group);
  const pause = (ms: number): Promise<unknown> =>
    rest(ms, undefined, { signal: end }).catch(() => undefined);
  const ask: Ask = {
    ...{ nonce, site, group, kind: "rotate", config: { number: 3, sha256: "ab".repeat(32) } },
    keys: ["primary", "secondary"].map((link) => ({ link, old: "aa11", new: "bb22" })),
    ...{ at: hostClock.wall(), state: { kind: "asking" } },
  };
  const write = async (state: AskState): Promise<void> => {
    const octets = askOctets({ ...ask, state });
    while (!end.aborted) {
      if ((await engine.put("linkseal-asks", key, octets, end)).kind === "ok") return;
      await pause(1_000);
    }
  };
  await write({ kind: "asking" });
  while (!end.aborted && !(await isPermitted(engine, ask, end))) await pause(readMs);
  if (end.aborted) return;
  tell({ site, nonce, what: "begun" });
  await write({ kind: "begun", at: hostClock.wall() });
  await pause(campaignMs);
  tell({ site, nonce, what: "ended" });
  await write({ kind: "ended", at: hostClock.wall(), end: "reached" });
}

async function isPermitted(engine: NatsEngine, ask: Ask, end: AbortSignal): Promise<boolean> {
  const [permit, ...freezes] = await Promise.all([
    engine.get("linkseal-permits", groupKey(ask.site, group), end),
    engine.get("linkseal-freeze", fleetFreezeKey, end),
    engine.get("linkseal-freeze", siteFreezeKey(ask.site), end),
  ]);
  const found = permit.kind === "value" ? parsePermit(permit.octets) : undefined;
  const isFree = freezes.every(({ kind }) => kind === "absent");
  return isFree && found !== undefined && isFor(found, ask) && hostClock.wall() < found.notAfter;
}
