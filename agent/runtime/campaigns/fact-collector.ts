// Observes both ends of a group and reports what is so, in the words of the campaign's tables.

import { withDeadline } from "#hal/deadline.ts";
import type { PeerState, Recalled, TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type MacsecFrames, strongValue } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import {
  type Campaign,
  type CampaignState,
  type Evidence,
  entryOf,
  type Facts,
  type LaterSaks,
  type PortFacts,
  stagedBy,
} from "../../model/campaign.ts";
import { deadlineMs } from "../../model/deadline.ts";
import { type DesiredLink, linkId, type RiskName } from "../../model/desired.ts";
import { type LinkSnapshot, portOf, securedBy } from "../../model/link-snapshot.ts";
import type { Cause, FarEnd } from "../../model/reason.ts";
import { bakingSibling } from "../../rotation/bake.ts";
import {
  advanceProof,
  advanceQuiet,
  advanceSteady,
  drainedOf,
  proofOf,
  provenNew,
  provenOld,
  type QuietRun,
  type Run,
  stagedEvidence,
  steadyGap,
  steadyOf,
} from "../../rotation/evidence.ts";
import { farEndOf, isOff, type Moved, portFacts, unseenFar } from "../../rotation/facts.ts";
import { comeOf, lateChanges, mayLose } from "../../rotation/late.ts";
import {
  advanceSaks,
  askedFor,
  laterSaksOf,
  makesSaks,
  type SakRun,
} from "../../rotation/later-saks.ts";
import { type PreconditionInput, unmetOn } from "../../rotation/preconditions.ts";
import { fateOf } from "../../rotation/shared-fate.ts";
import { type Alarm, doubtOf, siblingOf, standingOfAll } from "../../rotation/sibling.ts";
import { type LateChange, type Memory, named } from "../../store/journal/memory.ts";
import { type RightsReader, rightsMs } from "../polling/rights-reader.ts";
import type { EffectParts, Effects } from "./effects.ts";
import { managementPathOf } from "./management-path.ts";
import { withVault } from "./new-pairs.ts";
import { type PermitCache, withheldLink } from "./permit-cache.ts";

export interface FactCollectorParts extends EffectParts {
  readonly memory: () => Memory;
  readonly acceptsRisk: (risk: RiskName) => boolean;
  /** The moment this process began: a put of its predecessor may land until `putGrace` after it. */
  readonly startedAt: Instant;
  /** Addresses that the agent itself must reach. */
  readonly managementAddresses: readonly string[];
  /** The objection of the health evaluator to relying on this link; undefined = none. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
  /** The rights of the agent's identity in Azure. */
  readonly rights: Pick<RightsReader, "refresh" | "forget">;
  /** The permits of the hub, as they were last read. */
  readonly permits: Pick<PermitCache, "withheld">;
  /** The vault that the new keys come from. */
  readonly vault: KeyVault;
}

export interface Report {
  readonly facts: Facts;
  /** The time of the oldest observation that it rests on. */
  readonly at: Instant;
  readonly sak: string | undefined;
  /** Whether this process saw the later SAKs of the new key proven beside the old one. */
  readonly laterSaks: "proven" | "unproven";
  /** What this observation brought to its end, for later predictions. */
  readonly measured: readonly { readonly what: string; readonly ms: number }[];
  /** The token of a change that was to be final, and that the router may hold half of. */
  readonly unfinished?: string;
  /** A late change of ours that this observation shows to have come. */
  readonly come?: LateChange;
}

interface Waiting {
  readonly kind: PortFacts["pending"];
  /** Nothing but the device's own timer ends its wait. */
  readonly isExpiring?: true;
  readonly unfinished?: string;
}

const routeMsMax = 10_000;
/** The states before anything takes the link. Afterwards the far-end poller reads the rights. */
const beforeTaking: readonly CampaignState[] = ["queued", "gated", "draining"];

/** One observation of all that a step of a campaign depends on. */
interface Observed extends Pick<PreconditionInput, "siblings" | "managementPath" | "withheld"> {
  readonly campaign: Campaign;
  readonly snapshot: LinkSnapshot;
  readonly port: PortFacts | undefined;
  readonly far: FarEnd;
}

/** What one process knows of the link under way; a crash loses it, and nothing depends on that. */
export class FactCollector {
  readonly #parts: FactCollectorParts;
  readonly #effects: Effects;
  #enteredAt: Instant;
  #proof: Run | undefined;
  #oldProof: Run | undefined;
  /** The SAKs of the new key, beside the old one on the port. */
  #saks: SakRun | undefined;
  /** The highest later SAK that was asked for in the present state, and when it first was. */
  #askedMost = 0;
  #saksSince: Instant | undefined;
  #laterProven = false;
  #quiet: QuietRun | undefined;
  #steady: Run | undefined;
  #framesBefore: MacsecFrames | undefined;
  /** When the far end was first seen on the new key. */
  #movedAt: Instant | undefined;
  /** When it was first observed on the old key, on the way back. */
  #backAt: Instant | undefined;
  #outageSince: Instant | undefined;
  /** Since which observation the session of the link is up under a key of its campaign. */
  #upSince: Instant | undefined;
  #sentAt: Instant | undefined;
  /** Since when only its timer can end a commit of the campaign, and when that was last so. */
  #expiringSince: Instant | undefined;
  #expiringAt: Instant | undefined;
  /** The device on which a commit of the campaign itself waited, as last observed. */
  #ownCommitOn: string | undefined;

  constructor(parts: FactCollectorParts, effects: Effects) {
    this.#parts = parts;
    this.#effects = effects;
    this.#enteredAt = parts.world.clock.now();
  }

  /** A state was entered: what must hold for a time begins anew. */
  entered(): void {
    this.#enteredAt = this.#parts.world.clock.now();
    this.#steady = undefined;
    this.#framesBefore = undefined;
    this.#saksSince = undefined;
    this.#askedMost = 0;
  }

  /** What was proven before the keys of the port change, or the port is shut for it, is over. */
  keysChange(): void {
    this.#proof = undefined;
    this.#oldProof = undefined;
  }

  /** The router accepted the request for a later SAK: each has the time of a proof, once. */
  askedSak(): void {
    const now = this.#parts.world.clock.now();
    const asked = this.#saks?.proven ?? 0;
    this.#saks = askedFor(this.#saks, now);
    if (asked <= this.#askedMost) return;
    this.#askedMost = asked;
    this.#saksSince = now;
  }

  /** The far end is about to be told. */
  sent(): void {
    this.#sentAt = this.#parts.world.clock.now();
  }

  /** Returns the objection of later observations to relying on the siblings. */
  siblingDoubt(link: DesiredLink): Cause | undefined {
    const { group, deviceCache } = this.#parts;
    const others = group.links.filter((each) => each.name !== link.name);
    const own = this.#ownCommitOn;
    return doubtOf(others.map((each) => siblingOf(this.#parts, deviceCache.snapshot(each), own)));
  }

  /** Returns why no permit lets the campaign take the link now; undefined = none is missing. */
  withheld(campaign: Campaign, port: PortFacts | undefined, seen: LinkSnapshot): Cause | undefined {
    const accepts = (risk: RiskName): boolean => this.#accepts(campaign, risk);
    return withheldLink({ ...this.#parts, effects: this.#effects, accepts }, campaign, port, seen);
  }

  async observe(campaign: Campaign, link: DesiredLink, signal: AbortSignal): Promise<Report> {
    const { deviceCache, group, vault, world } = this.#parts;
    const begun = world.clock.now();
    const devices = [...new Set(group.links.map((each) => each.device))];
    const observations = devices.map(
      async (name) => [name, await deviceCache.observe(name, signal)] as const,
    );
    const [peer, ...pairs] = await Promise.all([
      this.#observePeer(campaign, link, signal),
      ...observations,
    ]);
    const states = new Map<string, DeviceState | undefined>(pairs);
    // Only this very observation counts: one that another loop began may be older than our last
    // effect.
    const stateOf = (each: DesiredLink): LinkSnapshot => ({
      ...deviceCache.snapshot(each),
      state: states.get(each.device),
    });
    const snapshot = { ...stateOf(link), peer };
    this.#upSince = isUp(snapshot.state, campaign, link) ? (this.#upSince ?? begun) : undefined;
    const pending = await this.#pending(campaign, snapshot, signal);
    this.#ownCommitOn = pending?.kind === "ours" ? link.device : undefined;
    const managementPath = await managementPathOf(this.#parts, link, signal);
    const now = world.clock.now();
    this.#expires(pending, now);
    const far = this.#far(campaign, snapshot, now);
    const port = this.#port(campaign, snapshot, pending?.kind, now);
    const siblings = group.links
      .filter((each) => each.name !== link.name)
      .map((each) => siblingOf(this.#parts, stateOf(each), this.#ownCommitOn));
    const measured = this.#measure(link, port, now);
    const observed = { campaign, snapshot, port, far, siblings, managementPath, now };
    const withheld = this.withheld(campaign, port, snapshot);
    const facts = await withVault(vault, campaign, this.#facts({ ...observed, withheld }), signal);
    const session = portOf(snapshot.state, link.port)?.session;
    const sak = session === undefined ? undefined : strongValue(session)?.latestSak?.keyId;
    const unfinished = pending?.unfinished === undefined ? {} : { unfinished: pending.unfinished };
    const come = comeOf(this.#late(link), snapshot);
    const all = { ...facts, freshSak: sak !== undefined && sak !== campaign.oldSak };
    this.#laterProven ||= facts.laterSaks.kind === "proven";
    const laterSaks = this.#laterProven ? "proven" : "unproven";
    const result = { facts: all, at: begun, sak, laterSaks, measured } as const;
    return { ...result, ...unfinished, ...(come && { come }) };
  }

  /**
   * Reads the far end, and before the link is taken the rights to change it: its document names the
   * identities that are scopes as well.
   */
  async #observePeer(
    { state }: Campaign,
    link: DesiredLink,
    signal: AbortSignal,
  ): Promise<PeerState | undefined> {
    const { deviceCache, rights } = this.#parts;
    const peer = await deviceCache.observePeer(link, signal);
    if (!beforeTaking.includes(state)) return peer;
    const everyMs = state === "queued" ? 0 : rightsMs.urgent;
    await rights.refresh({ kind: "campaign", group: link.group }, everyMs, signal);
    return peer;
  }

  /** No state can get on while only a timer can end a commit, for as long as that can run. */
  #expires(pending: Waiting | undefined, now: Instant): void {
    const { confirmMs, verifyMs } = this.#parts.desired.rotation;
    if (pending === undefined) return;
    this.#expiringSince = pending.isExpiring ? (this.#expiringSince ?? now) : undefined;
    const since = this.#expiringSince;
    if (since !== undefined && now - since <= confirmMs + verifyMs) this.#expiringAt = now;
  }

  #late(link: DesiredLink): readonly LateChange[] {
    const { memory, world } = this.#parts;
    return lateChanges(memory(), linkId(link), world.clock.wall());
  }

  /** Observes again: the session of a link that was dark has come up since. */
  async hasRisen(campaign: Campaign, link: DesiredLink, signal: AbortSignal): Promise<boolean> {
    if (this.#upSince !== undefined) return false;
    return isUp(await this.#parts.deviceCache.observe(link.device, signal), campaign, link);
  }

  /** Returns the owner of the commit that waits on the device; undefined = not known now. */
  async #pending(
    campaign: Campaign,
    { state, link }: LinkSnapshot,
    signal: AbortSignal,
  ): Promise<Waiting | undefined> {
    const control = state === undefined ? undefined : strongValue(state.control);
    if (control === undefined) return undefined;
    if (!control.commitPending) return { kind: "none" };
    const final = named(this.#parts.memory().finals, link.device);
    try {
      for (const token of stagedBy(campaign)) {
        const { kind } = await this.#recall(link, token, signal);
        if (kind === "expiring") return { kind: "ours", isExpiring: true };
        if (kind === "pending") return { kind: "ours" };
      }
      const isUnfinished = (await this.#recall(link, final, signal)).kind === "pending";
      return { kind: "foreign", ...(isUnfinished && final !== undefined && { unfinished: final }) };
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return undefined;
    }
  }

  async #recall(
    { device: where }: DesiredLink,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<Recalled> {
    if (token === undefined) return { kind: "absent" };
    const { world, deviceCache } = this.#parts;
    const limit = { ms: routeMsMax, where, effect: "none" } as const;
    return await withDeadline(world.clock, limit, signal, async (bounded) =>
      (await deviceCache.device(where, bounded)).recall(token as TransactionToken, bounded),
    );
  }

  #far(campaign: Campaign, snapshot: LinkSnapshot, now: Instant): FarEnd {
    const entry = entryOf(campaign);
    const { desired } = this.#parts;
    const unseen = snapshot.peer === undefined && desired.azure.farEnd === "manual";
    const far =
      unseen && this.#accepts(campaign, "farEndUnseen")
        ? unseenFar(campaign, snapshot, entry)
        : farEndOf(snapshot.peer, entry, now, graceEnd(this.#parts));
    // Where the far end has nothing to do ("either"), silence is not its answer.
    this.#movedAt = far === "new" ? (this.#movedAt ?? now) : undefined;
    const isBack = campaign.state === "reverting" && far === "old";
    this.#backAt = isBack ? (this.#backAt ?? now) : undefined;
    return far;
  }

  #port(
    campaign: Campaign,
    snapshot: LinkSnapshot,
    pending: PortFacts["pending"] | undefined,
    now: Instant,
  ): PortFacts | undefined {
    if (pending === undefined) return undefined;
    const { desired, deviceCache } = this.#parts;
    const { settleMs } = desired.rotation;
    const history = {
      moved: this.#moved(),
      pending,
      overlap: deviceCache.capabilities(snapshot.link.device)?.macsec?.overlap,
      outageSince: this.#outageSince,
      settleMs,
      now,
    };
    const port = portFacts(this.#timely(snapshot, now), entryOf(campaign), history);
    const observed = portOf(snapshot.state, snapshot.link.port);
    const lit = observed !== undefined && strongValue(observed.linkUp) === true;
    const dark = port?.carriedBy === "nothing" && lit;
    this.#outageSince = dark ? (this.#outageSince ?? now) : undefined;
    return port === undefined || dark ? port : { ...port, outage: "none" };
  }

  /** A probe tells nothing of a link that came up after it began, nor anything once it is old. */
  #timely(snapshot: LinkSnapshot, now: Instant): LinkSnapshot {
    const { staleAfterMs } = this.#parts.desired.health;
    const { probe } = snapshot;
    if (probe === undefined) return snapshot;
    const { begunAt, at } = probe;
    const isPast = begunAt < (this.#upSince ?? begunAt) || now - at > staleAfterMs;
    return isPast ? { ...snapshot, probe: undefined } : snapshot;
  }

  #moved(): Moved | undefined {
    if (this.#movedAt !== undefined) return { at: this.#movedAt, to: "new" };
    return this.#backAt === undefined ? undefined : { at: this.#backAt, to: "old" };
  }

  #facts(observed: Observed & { readonly now: Instant }): Omit<Facts, "freshSak"> {
    const { campaign, snapshot, port, far, siblings, now } = observed;
    const { desired, group } = this.#parts;
    const { rotation } = desired;
    const effects = this.#effects;
    const device = desired.devices.find(({ name }) => name === snapshot.link.device);
    const entry = entryOf(campaign);
    this.#proof = advanceProof(this.#proof, snapshot, provenNew(entry), far, now);
    const old = provenOld(entry);
    this.#oldProof =
      old === undefined ? undefined : advanceProof(this.#oldProof, snapshot, old, far, now);
    this.#quiet = advanceQuiet(this.#quiet, snapshot, rotation.drained.everyMs, now);
    this.#steady = advanceSteady(this.#steady, steadyGap(snapshot, port, this.#enteredAt), now);
    const drained: Evidence =
      group.drain === "none" ? { kind: "held" } : drainedOf(this.#quiet, rotation.drained.samples);
    const staged = stagedEvidence(this.#framesBefore, snapshot, port);
    this.#framesBefore ??= framesOf(snapshot);
    return {
      port,
      far,
      ...(far === "other" && isOff(snapshot.peer) && { farIsOff: true as const }),
      sibling: standingOfAll(siblings),
      unmetPrecondition: unmetOn(port, this.#preconditions(observed)),
      withheld: observed.withheld,
      drained,
      staged,
      proof: proofOf(this.#proof, snapshot, rotation, now),
      oldProof: proofOf(this.#oldProof, snapshot, rotation, now),
      laterSaks: this.#laterSaks(observed),
      carrying: steadyOf(this.#steady, rotation.soakMs, now),
      replacement: effects.replacement(campaign),
      lostCommits: effects.lostCommits,
      mayLose: mayLose(this.#late(snapshot.link), entry),
      overdue: now - this.#deadlineFrom() > deadlineMs(campaign.state, rotation),
      farEnd: desired.azure.farEnd,
      shutsFirst: device?.quirks.includes("shutBeforeKeyChange") === true,
    };
  }

  /**
   * Later SAKs are asked for only on a drained link whose old key is the way back: one that passes
   * no frames costs nothing there.
   */
  #laterSaks(observed: Observed & { readonly now: Instant }): LaterSaks {
    const { campaign, snapshot, port, far, now } = observed;
    const { desired, deviceCache, group } = this.#parts;
    const entry = entryOf(campaign);
    const { rotation } = desired;
    const view = { snapshot, port, wanted: provenNew(entry), far, rotation, now };
    this.#saks = advanceSaks(this.#saks, view);
    const macsec = deviceCache.capabilities(snapshot.link.device)?.macsec;
    const isMade = makesSaks(portOf(snapshot.state, snapshot.link.port), macsec?.freshSak);
    const isAsked = campaign.urgency === "planned" && group.drain !== "none";
    return isMade && isAsked ? laterSaksOf(this.#saks, view) : { kind: "notOffered" };
  }

  #preconditions(observed: Observed): PreconditionInput {
    const { campaign, snapshot, port, far, siblings, managementPath, withheld } = observed;
    const { world, group, desired } = this.#parts;
    const { rotation } = desired;
    // Once begun, the link may be dark by our own doing, and only going on lights it.
    const holdsNew = port !== undefined && ["new", "both", "half"].includes(port.keys);
    const begun = port?.drain === "on" || campaign.told || holdsNew;
    const free = campaign.urgency === "emergency" || this.#accepts(campaign, "outsideWindow");
    const neededMs =
      rotation.drained.samples * rotation.drained.everyMs + rotation.settleMs + rotation.soakMs;
    const { kind } = campaign;
    const others = group.links.filter((each) => each.name !== snapshot.link.name);
    const wall = world.clock.wall();
    const bakes =
      kind === "enrol"
        ? undefined
        : bakingSibling(this.#parts.memory(), others, rotation.bakeMs, wall);
    return {
      snapshot,
      far,
      accepted: kind === "rotate" ? entryOf(campaign).old?.settings : undefined,
      siblings,
      phase: campaign.goal === "revert" ? wayBack(port) : begun ? "begun" : "beforeDrain",
      fate: this.#accepts(campaign, "agentOnSibling")
        ? "apart"
        : fateOf(desired, campaign, snapshot.link, port),
      withheld,
      managementPath,
      acceptsUnknownPath: this.#accepts(campaign, "ownPathUnknown"),
      hostWall: wall,
      windows: free
        ? undefined
        : {
            windows: group.rotate.windows,
            freezes: group.freezes,
            neededMs: port?.drain === "on" ? 0 : neededMs,
            ...(bakes && { bakes }),
          },
    };
  }

  #accepts(campaign: Campaign, risk: RiskName): boolean {
    return campaign.risks.includes(risk) || this.#parts.acceptsRisk(risk);
  }

  /** While a predecessor's put may still land no far end is settled, and no state can get on. */
  #deadlineFrom(): Instant {
    const grace = graceEnd(this.#parts);
    const since = Math.max(this.#saksSince ?? this.#enteredAt, this.#expiringAt ?? grace);
    return Math.max(grace, since) as Instant;
  }

  #measure(link: DesiredLink, port: PortFacts | undefined, now: Instant): Report["measured"] {
    const id = linkId(link);
    const sentAt = this.#sentAt;
    if (sentAt === undefined || this.#movedAt === undefined) return [];
    if (port === undefined || port.carriedBy !== "new") {
      return this.#movedAt === now ? [{ what: `farEnd ${id}`, ms: now - sentAt }] : [];
    }
    this.#sentAt = undefined;
    const ours = { what: `ours ${id}`, ms: now - this.#movedAt };
    return this.#movedAt === now ? [{ what: `farEnd ${id}`, ms: now - sentAt }, ours] : [ours];
  }
}

function framesOf({ state, link }: LinkSnapshot): MacsecFrames | undefined {
  const port = portOf(state, link.port);
  return port === undefined ? undefined : strongValue(port.frames);
}

/** Returns the time before which no far end is settled: a put of a predecessor may still land. */
export function graceEnd({
  startedAt,
  desired,
}: Pick<FactCollectorParts, "startedAt" | "desired">): Instant {
  return instantAfter(startedAt, desired.rotation.putGraceMs);
}

/** A dark link is lit, and one that is drained is finished, whatever its sibling holds. */
function wayBack(port: PortFacts | undefined): PreconditionInput["phase"] {
  const brings = port?.keys === "new" && port.carriedBy !== "nothing" && port.drain === "off";
  return brings ? "bringingBack" : "goingBack";
}

function isUp(state: DeviceState | undefined, campaign: Campaign, link: DesiredLink): boolean {
  const port = portOf(state, link.port);
  const { old, new: next } = entryOf(campaign);
  const keys = old === undefined ? [next.key] : [old.key, next.key];
  return port !== undefined && keys.some((key) => securedBy(port, key));
}
