// Links that are drained or shut, and that no campaign gives back: an operator's drain, with the
// preconditions of a campaign and the same way back when the sibling is lost; what a router carried
// out after we had stopped waiting for it; and what people did on the router themselves.

import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type DrainMeans, type PortName, strongValue } from "#hal/model.ts";
import { takenBackOn } from "../../health/in-force.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import type { ReportEvent } from "../../model/events.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf, type LinkSnapshot, portOf, securedBy } from "../../model/link-snapshot.ts";
import type { Cause } from "../../model/reason.ts";
import { bareCauseText, causeText } from "../../model/reason-text.ts";
import { comeOf, lateChanges } from "../../rotation/late.ts";
import { unmetPrecondition } from "../../rotation/preconditions.ts";
import { sharesFate } from "../../rotation/shared-fate.ts";
import { doubtOf, lostOf, siblingOf } from "../../rotation/sibling.ts";
import { type LateChange, named } from "../../store/journal/memory.ts";
import { cannotBegin, riskAccepted } from "./begin.ts";
import { type EffectParts, Effects, type RecordNeed } from "./effects.ts";
import type { FactCollectorParts } from "./fact-collector.ts";

export interface ManualDrainParts extends EffectParts {
  readonly memory: FactCollectorParts["memory"];
  readonly alarm: FactCollectorParts["alarm"];
  readonly report: ReportEvent;
}

/** What became of an `undrain`. */
export type Undrained = "given back" | "nothing";

/** What an observation shows of a link that is away: by which means, or with its port shut. */
type Away = DrainMeans | "shut";

/**
 * Takes a drain from the journal after its traffic is back.
 * @throws LinksealError with effect "applied" if the journal cannot be written.
 */
export async function noteGivenBack(write: EffectParts["write"], id: string): Promise<void> {
  try {
    await write({ kind: "handDrain", link: id, drain: null });
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const text = `${id} has its traffic back, and the journal does not know: ${error.code}`;
    const next = `${error.next}, then linkseal undrain ${id}`;
    throw new LinksealError(error.code, text, { effect: "applied", where: id, next, cause: error });
  }
}

/** Drains and undrains links of one group outside a campaign. */
export class ManualDrains {
  readonly #parts: ManualDrainParts;
  readonly #effects: Effects;
  /** Links whose traffic this process gave back without a record, which is still to be written. */
  readonly #unrecorded = new Set<string>();

  constructor(parts: ManualDrainParts) {
    this.#parts = parts;
    this.#effects = new Effects(parts);
  }

  /**
   * Drains a link for an operator; an abort may leave it drained, and the journal has it.
   * @throws LinksealError `gate.siblingUnhealthy` if the link must stay in service, or the error of
   * its device.
   */
  async drain(link: DesiredLink, by: string, signal: AbortSignal): Promise<void> {
    const { group, world, write } = this.#parts;
    if (group.drain === "none") {
      throw this.#refusal(link, meansNone(group.name));
    }
    const unmet = await this.#unmet(link, signal);
    if (unmet?.code === "gate.riskNotAccepted") {
      const next = `accept ${unmet.risk} under acceptRisks, or let the group drain by prepend`;
      throw cannotBegin(unmet.code, linkId(link), causeText(unmet), next);
    }
    if (unmet !== undefined) throw this.#refusal(link, causeText(unmet));
    const drain = { by, since: world.clock.wall() };
    await write({ kind: "handDrain", link: linkId(link), drain });
    this.#unrecorded.delete(linkId(link));
    const recheck = (): void => {
      const { deviceCache } = this.#parts;
      const { siblings } = this.#siblings(link, (each) => deviceCache.snapshot(each));
      const doubt = doubtOf(siblings);
      if (doubt !== undefined) throw this.#refusal(link, bareCauseText(doubt));
    };
    try {
      await this.#effects.traffic("drain", { link, recheck, record: "first" }, signal);
    } catch (error) {
      if (error instanceof LinksealError && error.effect === "none") await this.#forget(link);
      throw error;
    }
  }

  /** Takes a drain that was not made from the journal; a later `undrain` does it on a full disk. */
  async #forget(link: DesiredLink): Promise<void> {
    try {
      await this.#parts.write({ kind: "handDrain", link: linkId(link), drain: null });
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#parts.world.log.write("warn", error.code, error.message, { link: linkId(link) });
    }
  }

  /**
   * Gives the traffic back, also where a person moved it away on the router. `nothing` = it is
   * there, and nothing was sent.
   * @throws LinksealError if the device or the journal fails, or the router still shows a drain.
   */
  async undrain(link: DesiredLink, signal: AbortSignal): Promise<Undrained> {
    const { group, memory, world, deviceCache } = this.#parts;
    const id = linkId(link);
    const isOurs =
      named(memory().drains, id) !== undefined ||
      lateChanges(memory(), id, world.clock.wall()).length > 0;
    if (!isOurs && group.drain === "none") throw this.#refusal(link, meansNone(group.name));
    const state = await deviceCache.observe(link.device, signal);
    if (!isOurs && isThere(state, link.port)) return "nothing";
    return await this.#giveBackDrained(link, "first", signal);
  }

  /** The means of the group may be others since the drain, so what the router shows goes too. */
  async #giveBackDrained(
    link: DesiredLink,
    record: RecordNeed,
    signal: AbortSignal,
  ): Promise<Undrained> {
    const { group, deviceCache, write } = this.#parts;
    const means = new Set(drainsOn(deviceCache.snapshot(link)));
    if (group.drain !== "none") means.add(group.drain);
    for (const each of means) await this.#effects.giveBack(link, each, record, signal);
    const state = await deviceCache.observe(link.device, signal);
    const left = drainsOn({ ...deviceCache.snapshot(link), state });
    const isUnknown = means.size === 0 && !isThere(state, link.port);
    if (left.length > 0 || isUnknown) throw this.#mayBeDrained(link, left);
    // Only what the router was just seen to have given back is struck off, now or by a later turn.
    this.#unrecorded.add(linkId(link));
    await noteGivenBack(write, linkId(link));
    this.#unrecorded.delete(linkId(link));
    return means.size === 0 ? "nothing" : "given back";
  }

  /**
   * Gives back (P2) each link that a late change of ours has drained or shut, and each drained link
   * that can carry and whose sibling is lost. Errors are logged, and a later turn tries again.
   * `underWay`: the link that a campaign takes care of.
   */
  async turn(signal: AbortSignal, underWay?: string): Promise<void> {
    const { group, world } = this.#parts;
    for (const link of group.links) {
      if (link.name === underWay) continue;
      try {
        await this.#tend(link, signal);
      } catch (error) {
        // It is done by a later turn, and keeps no other link waiting.
        if (!(error instanceof LinksealError)) throw error;
        world.log.write("warn", error.code, error.message, { group: group.name });
      }
    }
  }

  async #tend(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const { deviceCache, memory, world, write } = this.#parts;
    if (this.#unrecorded.has(linkId(link)) && isThere(deviceCache.state(link.device), link.port)) {
      await noteGivenBack(write, linkId(link));
      this.#unrecorded.delete(linkId(link));
    }
    const isManual = named(memory().drains, linkId(link)) !== undefined;
    if (!isManual && awayBy(deviceCache.snapshot(link)) === undefined) return;
    const { snapshots, lost } = await this.observe(link, signal);
    const snapshot = snapshots.get(link.name);
    const away = snapshot === undefined ? undefined : awayBy(snapshot);
    if (snapshot === undefined || (away === undefined && !isManual)) return;
    const coming = lateChanges(memory(), linkId(link), world.clock.wall());
    const what = away === "shut" ? "shut" : "drain";
    const ours = coming.find((each) => each.what === what);
    if (away !== undefined && ours !== undefined && (away === "shut" || !isManual)) {
      return await this.#giveBackLate(link, away, ours, signal);
    }
    const come = comeOf(coming, snapshot);
    if (come !== undefined) await this.#settle(link, come);
    if (away !== "shut" && away !== undefined && !isManual && this.#isUsable(snapshot)) {
      const taken = takenBackOn(memory(), link).some(({ kind }) => kind === "port.restore");
      if (taken) return await this.#giveBackReloaded(link, away, signal);
    }
    if (away === "shut" || lost === undefined || !this.#isUsable(snapshot)) return;
    if (!isManual && away === "peeringShutdown" && carriesRoutes(snapshot)) return;
    const by = isManual ? "operator" : away;
    await this.#giveBackAlone(link, by, bareCauseText(lost), signal);
  }

  /** An operator who drained the router by hand meanwhile can do so again by `linkseal drain`. */
  async #giveBackLate(link: DesiredLink, away: Away, late: LateChange, signal: AbortSignal) {
    await this.#effects.giveBack(link, away, "first", signal);
    await this.#settle(link, late);
    const sent = `linkseal sent a ${late.what} at ${isoTime(late.since)} and saw no end of it`;
    const back = away === "shut" ? "its port is open again" : "its traffic is given back";
    this.#report("drain-given-back", link, `${back}: ${sent}, and the router carried it out late`);
  }

  async #giveBackReloaded(link: DesiredLink, away: DrainMeans, signal: AbortSignal) {
    await this.#effects.giveBack(link, away, "first", signal);
    const why = `a reload of ${link.device} brought back the drain that linkseal had ended`;
    this.#report("drain-given-back", link, `${linkId(link)} gets its traffic back: ${why}`);
  }

  async #giveBackAlone(
    link: DesiredLink,
    by: "operator" | DrainMeans | undefined,
    lost: string,
    signal: AbortSignal,
  ): Promise<void> {
    const id = linkId(link);
    if (by === undefined) return;
    if (by === "operator") {
      await this.#giveBackDrained(link, "ifWritable", signal);
      return this.#report("hand-drain-over", link, `${id} gets its traffic back: ${lost}`);
    }
    await this.#effects.giveBack(link, by, "ifWritable", signal);
    const text = `${id} gets its traffic back, which was moved away on the router: ${lost}`;
    this.#report("drain-given-back", link, text);
  }

  async #settle(link: DesiredLink, { token }: LateChange): Promise<void> {
    await this.#parts.write({ kind: "settled", link: linkId(link), token });
  }

  #report(code: string, link: DesiredLink, text: string): void {
    const { group, world, report } = this.#parts;
    world.log.write("warn", code, text, { group: group.name });
    report(code, linkId(link), text, "warning");
  }

  /** Observes the routers of the group anew; its siblings are judged as before a drain. */
  async observe(link: DesiredLink, signal: AbortSignal) {
    const { group, deviceCache } = this.#parts;
    const snapshots = new Map<string, LinkSnapshot>();
    for (const each of group.links) {
      const state = await deviceCache.observe(each.device, signal);
      snapshots.set(each.name, { ...deviceCache.snapshot(each), state });
    }
    return { snapshots, ...this.#siblings(link, (each) => snapshots.get(each.name)) };
  }

  #siblings(link: DesiredLink, snapshotOf: (each: DesiredLink) => LinkSnapshot | undefined) {
    const siblings = this.#parts.group.links.flatMap((each) => {
      const snapshot = each.name === link.name ? undefined : snapshotOf(each);
      return snapshot === undefined ? [] : [siblingOf(this.#parts, snapshot)];
    });
    return { siblings, lost: lostOf(siblings) };
  }

  async #unmet(link: DesiredLink, signal: AbortSignal): Promise<Cause | undefined> {
    const { snapshots, siblings } = await this.observe(link, signal);
    const snapshot = snapshots.get(link.name);
    if (snapshot === undefined) return { code: "router.unread" };
    if (snapshot.state !== undefined && drainOf(snapshot.state, link.port) === "on") {
      return { code: "link.drainedAlready" };
    }
    return unmetPrecondition({
      snapshot,
      // The far end is not touched, so its settings do not keep a link from being drained.
      far: "either",
      accepted: undefined,
      siblings,
      phase: "beforeDrain",
      // A person at the site drains this one link, and no wave counts it.
      withheld: undefined,
      fate: this.#fate(link),
      managementPath: "elsewhere",
      acceptsUnknownPath: true,
      hostWall: this.#parts.world.clock.wall(),
      windows: undefined,
    });
  }

  /** Routes that are taken away do not come back by themselves. */
  #fate(link: DesiredLink): "apart" | "shared" {
    const { desired, group, world } = this.#parts;
    if (group.drain !== "peeringShutdown" || !sharesFate(desired, link)) return "apart";
    return riskAccepted(desired, "agentOnSibling", world.clock.wall()) ? "apart" : "shared";
  }

  #isUsable(snapshot: LinkSnapshot): boolean {
    const port = portOf(snapshot.state, snapshot.link.port);
    if (port === undefined || strongValue(port.linkUp) !== true) return false;
    const key = this.#parts.memory().bindings[linkId(snapshot.link)]?.key;
    if (key !== undefined) return securedBy(port, key);
    return port.settings.kind === "known" && port.settings.value === undefined;
  }

  #mayBeDrained(link: DesiredLink, left: readonly DrainMeans[]): LinksealError {
    const id = linkId(link);
    const why = left.length > 0 ? `is still drained by ${left.join(" and ")}` : "may be drained";
    const text = `${id} ${why} on ${link.device}, and the journal keeps the drain`;
    const next = `linkseal status, then linkseal undrain ${id}`;
    return new LinksealError("gate.stale", text, { effect: "unknown", where: id, next });
  }

  #refusal(link: DesiredLink, why: string): LinksealError {
    const id = linkId(link);
    return cannotBegin(
      "gate.siblingUnhealthy",
      id,
      `${id} is not drained: ${why}`,
      "linkseal links",
    );
  }
}

const meansNone = (group: string): string =>
  `the group ${group} has no means to drain (drain: none)`;

/** True if an observation shows the traffic of a port or tunnel where the config has it. */
export function isThere(state: DeviceState | undefined, port: PortName): boolean {
  const routing = state && strongValue(state.routing);
  return routing !== undefined && !routing.drains.some((drain) => drain.port === port);
}

/** A session that is shut beside another one of the port does not drain the link. */
function carriesRoutes({ state, link: { port } }: LinkSnapshot): boolean {
  const sessions = (state && strongValue(state.routing)?.sessions) ?? [];
  return sessions.some((session) => session.port === port && session.up);
}

/** Returns the means that drain a link; a person may keep one of several sessions shut. */
function drainsOn(snapshot: LinkSnapshot): readonly DrainMeans[] {
  const { state, link } = snapshot;
  const drains = (state && strongValue(state.routing)?.drains) ?? [];
  return drains.flatMap(({ port, means }) =>
    port === link.port && !(means === "peeringShutdown" && carriesRoutes(snapshot)) ? [means] : [],
  );
}

function awayBy({ state, link }: LinkSnapshot): Away | undefined {
  const port = portOf(state, link.port);
  if (state === undefined || port === undefined) return undefined;
  if (strongValue(port.admin) === "down") return "shut";
  return strongValue(state.routing)?.drains.find((drain) => drain.port === link.port)?.means;
}
