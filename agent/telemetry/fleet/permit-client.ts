// Tells the hub what campaigns ask for, and reads what it permits. Two loops, so that a write that
// takes its time delays no read; the agent waits for neither.

import type { Instant, World } from "#hal/world.ts";
import type { FleetEngine } from "../../fleet/engine.ts";
import {
  type Ask,
  type AskState,
  askOctets,
  isFor,
  parseFreeze,
  parsePermit,
} from "../../fleet/records.ts";
import { fleetFreezeKey, groupKey, siteFreezeKey } from "../../fleet/subjects.ts";
import type { Campaign } from "../../model/campaign.ts";
import { needsPermit } from "../../rotation/permit.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import { riskAccepted } from "../../runtime/campaigns/begin.ts";
import type { PermitCache, PermitReading } from "../../runtime/campaigns/permit-cache.ts";
import { openCampaign } from "../../store/journal/memory.ts";

/** How often campaigns are looked at for something to write, in milliseconds. */
const lookMs = 1_000;
/** How often the permit of a waiting group is read, in milliseconds. */
const readMs = 5_000;
/** Groups whose permits are read at a time. */
const groupsAtOnce = 16;

export interface PermitClientParts {
  readonly agent: Pick<AgentView, "memory" | "intent">;
  readonly permits: PermitCache;
  readonly world: Pick<World, "clock">;
  readonly engine: FleetEngine;
  readonly site: string;
}

/** Runs until the signal aborts; what another engine permitted is forgotten. */
export async function followPermits(parts: PermitClientParts, end: AbortSignal): Promise<void> {
  parts.permits.forget();
  await Promise.all([readPermits(parts, end), writeAsks(parts, end)]);
  parts.permits.forget();
}

async function readPermits(parts: PermitClientParts, end: AbortSignal): Promise<void> {
  const { agent, permits, engine, world } = parts;
  while (!end.aborted) {
    if (engine.state.kind === "disconnected") permits.forget();
    else {
      const groups = permits.groups.filter(
        (name) => openCampaign(agent.memory, name) !== undefined,
      );
      for (let first = 0; first < groups.length; first += groupsAtOnce) {
        const some = groups.slice(first, first + groupsAtOnce);
        await Promise.all(some.map((name) => readGroup(parts, name, end)));
      }
    }
    await world.clock.sleep(readMs, end).catch(() => undefined);
  }
}

async function readGroup(
  { permits, engine, site, world }: PermitClientParts,
  group: string,
  end: AbortSignal,
): Promise<void> {
  const begunAt = world.clock.now();
  const [permit, ofFleet, ofSite] = await Promise.all([
    engine.get("linkseal-permits", groupKey(site, group), end),
    engine.get("linkseal-freeze", fleetFreezeKey, end),
    engine.get("linkseal-freeze", siteFreezeKey(site), end),
  ]);
  const freezes = [freezeIn(ofFleet, "fleet"), freezeIn(ofSite, "site")];
  const isKnown = permit.kind === "value" || permit.kind === "absent";
  if (!isKnown || freezes.includes(undefined)) return permits.take(group, undefined);
  permits.take(group, {
    begunAt,
    permit: permit.kind === "value" ? permitIn(permit.octets) : undefined,
    freeze: freezes.find((each) => each !== "none") ?? "none",
  });
}

function permitIn(octets: Uint8Array): PermitReading["permit"] {
  const permit = parsePermit(octets);
  if (permit === undefined) return undefined;
  return { notAfter: permit.notAfter, isFor: (asked) => isFor(permit, asked) };
}

/** Returns whether a key freezes its scope; undefined = it could not be read. */
function freezeIn(
  read: Awaited<ReturnType<FleetEngine["get"]>>,
  scope: "fleet" | "site",
): PermitReading["freeze"] | undefined {
  if (read.kind === "absent") return "none";
  if (read.kind !== "value") return undefined;
  const freeze = parseFreeze(read.octets);
  if (freeze === undefined) return "unreadable";
  return freeze.state === "frozen" ? scope : "none";
}

/** Writes each group's ask when it changes, and once to each new connection. */
async function writeAsks(parts: PermitClientParts, end: AbortSignal): Promise<void> {
  const { agent, engine, site, world } = parts;
  const written = new Map<string, string>();
  let connectedAt: Instant | undefined;
  while (!end.aborted) {
    if (engine.state.kind === "connected") {
      if (engine.state.since !== connectedAt) written.clear();
      connectedAt = engine.state.since;
      for (const campaign of Object.values(agent.memory.campaigns)) {
        const ask = askOf(parts, campaign);
        const says = ask && JSON.stringify({ ...ask, at: null });
        if (ask === undefined || says === undefined || written.get(ask.group) === says) continue;
        const key = groupKey(site, ask.group);
        const put = await engine.put("linkseal-asks", key, askOctets(ask), end);
        if (put.kind === "ok") written.set(ask.group, says);
      }
    }
    await world.clock.sleep(lookMs, end).catch(() => undefined);
  }
}

/** Returns what a campaign has to say to the hub; undefined = nothing. */
function askOf(
  { agent: { intent }, permits, world, site }: PermitClientParts,
  campaign: Campaign,
): Ask | undefined {
  const asked = permits.askedBy(campaign);
  if (asked === undefined || intent === undefined) return undefined;
  // A campaign of before the site had its name: under the present one a hub cannot read it.
  if (asked.site !== site) return undefined;
  const at = world.clock.wall();
  const state = stateOf(campaign);
  const accepts = (risk: Parameters<typeof riskAccepted>[1]): boolean =>
    riskAccepted(intent.desired, risk, at);
  // One that needs no permit says what it takes, and asks for nothing.
  if (state.kind === "asking" && !needsPermit(intent.desired, campaign, accepts)) return undefined;
  return { ...asked, at, state };
}

function stateOf({ state, since, begunAt, links }: Campaign): AskState {
  if (state === "done") {
    const isReached = links.every(
      ({ outcome }) => outcome !== undefined && !["reverted", "abandoned"].includes(outcome),
    );
    return { kind: "ended", at: since, end: isReached ? "reached" : "notReached" };
  }
  return begunAt === undefined ? { kind: "asking" } : { kind: "begun", at: begunAt };
}
