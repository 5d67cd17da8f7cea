// Runs one group's campaign: observe, decide, journal the step, run the effect, observe again.
// Never another order.

import { LinksealError } from "#hal/error.ts";
import type { Instant } from "#hal/world.ts";
import {
  type ActionKind,
  type Campaign,
  entryOf,
  type Facts,
  type Step,
} from "../../model/campaign.ts";
import type { OnDecision } from "../../model/decision.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import { type Cause, type CauseOf, sameReason } from "../../model/reason.ts";
import { bareCauseText, reasonText } from "../../model/reason-text.ts";
import { advance, decide, keyActions } from "../../rotation/campaign.ts";
import { lateChanges } from "../../rotation/late.ts";
import { named } from "../../store/journal/memory.ts";
import { unlessUnwritable } from "./after-effect.ts";
import { Effects, type RecordNeed } from "./effects.ts";
import { FactCollector, type FactCollectorParts, type Report } from "./fact-collector.ts";

export interface RotationRunnerParts extends FactCollectorParts {
  /** A new reason for the operator, not worth a record. */
  readonly note: (campaign: Campaign) => void;
  /** undefined = no storm runs. */
  readonly onDecision: OnDecision | undefined;
}

const stepMsMin = 500;
const troubleMs = 5_000;
const overlapMs = 3_000;
/** A disruptive effect rests on an observation that is no older than this. */
const observationAgeMsMax = 30_000;

/** Effects that no precondition stops: they give the link back, or touch nothing. */
const restoring: readonly ActionKind[] = [
  "restore",
  "confirm",
  "rollBack",
  "add",
  "replace",
  "replaceBack",
  "open",
  "probe",
  "prepare",
  "prepareBack",
];

/**
 * Following restores a link that has left its old state; where it still works, as one does whose
 * far end has nothing to do, or where the port is shut to add a key, the same is disruptive.
 */
function isDisruptive(action: ActionKind, { shutsFirst, port }: Facts): boolean {
  if (!restoring.includes(action)) return true;
  if (port === undefined || port.carriedBy === "nothing") return false;
  return action === "replace" || action === "replaceBack" || (action === "add" && shutsFirst);
}

/**
 * Traffic given back changes no state of the campaign (a rule of its cells), so that a successor
 * which has no record of it goes on from the same one, by what it observes.
 */
function recordNeed(action: ActionKind | undefined, { sibling, port }: Facts): RecordNeed {
  const canCarry = port !== undefined && port.carriedBy !== "nothing";
  return action === "restore" && sibling === "lost" && canCarry ? "ifWritable" : "first";
}

/** Runs the campaign of one group. */
export class RotationRunner {
  readonly #parts: RotationRunnerParts;
  #effects: Effects;
  #factCollector: FactCollector;
  #trouble: LinksealError | undefined;
  #troubledLink = "";

  constructor(parts: RotationRunnerParts) {
    this.#parts = parts;
    this.#effects = new Effects(parts);
    this.#factCollector = new FactCollector(parts, this.#effects);
  }

  /** The last error of an effect; undefined again once an effect succeeds at the same end. */
  get trouble(): LinksealError | undefined {
    return this.#trouble;
  }

  /** The link (`group/link`) that `trouble` is about. */
  get troubledLink(): string {
    return this.#troubledLink;
  }

  /**
   * Runs one turn of the loop and returns how long to wait before the next one, in milliseconds.
   * Errors of effects become `trouble`; after an abort the journal has the step, and a later turn
   * observes what came of it.
   */
  async turn(campaign: Campaign, signal: AbortSignal): Promise<number> {
    const link = this.#link(campaign);
    if (link === undefined) return this.#parts.desired.health.pollMs;
    const { clock } = this.#parts.world;
    const report = await this.#factCollector.observe(campaign, link, signal);
    const facts = { ...report.facts, ...this.#troubleOn(link) };
    if (report.unfinished !== undefined) return await this.#takeBack(campaign, report, signal);
    const lost = this.#effects.judge(link, facts.port, clock.now());
    if (lost !== undefined) this.#fails(link, lost);
    // The far end has moved, by the agent or by a person: the error of Azure is resolved.
    if (facts.far === "new" && isOfPeer(this.#trouble)) this.#trouble = undefined;
    const decision = { kind: "step" as const, campaign, facts, step: decide(campaign, facts) };
    this.#parts.onDecision?.(decision);
    const taken = decision.step;
    const next = this.#remembering(campaign, taken, report);
    try {
      const record = recordNeed(taken.action, facts);
      const recorded = (): Promise<void> => this.#record(campaign, next, taken, link, report);
      // Journal first: where it cannot be written, nothing is taken, and one thing given.
      if (record === "first") await recorded();
      else await unlessUnwritable(recorded, (error) => this.#givesUnrecorded(link, error));
      const { row } = taken;
      this.#parts.onDecision?.({ kind: "taken", campaign, row, next: next.state });
      if (taken.action === undefined) {
        return next.state === campaign.state ? this.#waitMs(next) : 0;
      }
      if (isDisruptive(taken.action, facts) && this.#isStale(report.at)) return 0;
      if (taken.mark.told === true) this.#factCollector.sent();
      // A link that is done hands over to the next one, and what is left is still its own.
      const task = { ...next, at: campaign.at };
      const { action } = taken;
      const recheck = (): void => {
        if (isDisruptive(action, facts)) this.#recheck(campaign, link, facts, action);
        // Only now: a router that refuses the change leaves everything as it was proven.
        if (keyActions.includes(action)) this.#factCollector.keysChange();
      };
      const { port } = facts;
      const observeAgain = async (bounded: AbortSignal): Promise<void> => {
        if (port?.carriedBy === "nothing") await this.#observeAgain(task, link, bounded);
      };
      await this.#effects.run(
        { action, link, campaign: task, port, recheck, observeAgain, record },
        signal,
      );
      if (action === "renewSak") this.#factCollector.askedSak();
      if (!isSilentOn(action, this.#trouble)) this.#trouble = undefined;
      return this.#afterMs(action, next);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#fails(link, error);
      // A right may have been taken away since it was last read.
      if (error.code === "peer.denied") this.#forgetRights();
      const what = taken.action ?? "record";
      this.#log("warn", error.code, `${what}: ${error.message}`);
      return troubleMs;
    }
  }

  /** Rolls back a change of which the router holds half; a later turn sends it again. */
  async #takeBack(
    campaign: Campaign,
    { unfinished, facts: { port } }: Report,
    signal: AbortSignal,
  ): Promise<number> {
    const link = this.#link(campaign);
    if (unfinished === undefined || link === undefined) return 0;
    const text = `${linkId(link)}: the end of a change was not seen, and it is taken back`;
    this.#log("warn", "change-unfinished", text);
    const idle = { recheck: () => undefined, observeAgain: async () => undefined };
    const half = { ...campaign, token: unfinished, earlierToken: undefined };
    const task = { link, port, campaign: half, record: "first", ...idle } as const;
    try {
      await this.#effects.run({ action: "rollBack", ...task }, signal);
      return stepMsMin;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#fails(link, error);
      this.#log("warn", error.code, `rollBack: ${error.message}`);
      return troubleMs;
    }
  }

  /**
   * A journal that took its time has made the observation old: observe again before anything is
   * taken.
   */
  #isStale(observedAt: Instant): boolean {
    return this.#parts.world.clock.now() - observedAt > observationAgeMsMax;
  }

  /**
   * A router takes its time to validate a change, and its sibling may be lost meanwhile. A drain
   * that is tried again may need a risk by now that it did not need when its gate was open.
   */
  #recheck(campaign: Campaign, link: DesiredLink, facts: Facts, action: ActionKind): void {
    const unmet = action === "drain" ? facts.unmetPrecondition : undefined;
    const risk = unmet?.code === "gate.riskNotAccepted" ? unmet : undefined;
    const snapshot = this.#parts.deviceCache.snapshot(link);
    const permit = this.#factCollector.withheld(campaign, facts.port, snapshot);
    const doubt = this.#factCollector.siblingDoubt(link) ?? risk ?? permit;
    const decision = { kind: "doubt" as const, doubt };
    this.#parts.onDecision?.(decision);
    const lost = decision.doubt;
    if (lost === undefined) return;
    throw new LinksealError(
      isOwnCode(lost) ? lost.code : "gate.siblingUnhealthy",
      `${bareCauseText(lost)}; nothing was written`,
      {
        effect: "none",
        where: linkId(link),
        next: `linkseal rotation show ${this.#parts.group.name}`,
      },
    );
  }

  /** A router that has just booted is dark until its MKA is up, and may be slow to validate. */
  async #observeAgain(campaign: Campaign, link: DesiredLink, signal: AbortSignal): Promise<void> {
    if (!(await this.#factCollector.hasRisen(campaign, link, signal))) return;
    throw new LinksealError("gate.stale", `${linkId(link)} works again; nothing was written`, {
      effect: "none",
      where: linkId(link),
      next: `linkseal rotation show ${this.#parts.group.name}`,
    });
  }

  #troubleOn(link: DesiredLink): Pick<Facts, "trouble"> {
    const error = this.#troubledLink === linkId(link) ? this.#trouble : undefined;
    if (error === undefined) return {};
    return { trouble: { code: "effect.failed", error: error.code, text: error.message } };
  }

  #fails(link: DesiredLink, error: LinksealError): void {
    this.#trouble = error;
    this.#troubledLink = linkId(link);
  }

  #link(campaign: Campaign): DesiredLink | undefined {
    const name = campaign.links[campaign.at]?.name;
    return this.#parts.group.links.find((link) => link.name === name);
  }

  #forgetRights(): void {
    const { rights, group } = this.#parts;
    rights.forget({ kind: "campaign", group: group.name });
  }

  /** The SAK in use when the old key goes: a later one was never protected by it. */
  #remembering(campaign: Campaign, taken: Step, { sak, facts }: Report): Campaign {
    const { clock } = this.#parts.world;
    const stepped = advance(campaign, taken, clock.wall());
    const leaves = taken.action === "removeOld" || taken.action === "replace";
    // A router that loses what it has just accepted shuts the port again: this agent opens it.
    const isSameLink = stepped.at === campaign.at;
    // A port that is observed open elsewhere is settled: only a person shuts it after that.
    const mayShut =
      campaign.shut && facts.shutsFirst && isSameLink && this.#effects.mayLose(clock.now());
    const shut = stepped.shut || mayShut || (isSameLink && this.#mayShutLate(campaign, facts));
    return { ...stepped, shut, oldSak: leaves ? sak : stepped.oldSak };
  }

  /** One that a router shuts late is ours to open, and the mark stays while that may happen. */
  #mayShutLate(campaign: Campaign, { port }: Facts): boolean {
    const { memory, world } = this.#parts;
    const id = `${campaign.group}/${entryOf(campaign).name}`;
    const coming = lateChanges(memory(), id, world.clock.wall());
    return coming.some(({ what }) => what === "shut") && (campaign.shut || port?.admin === "down");
  }

  /** The result of an effect is observed soon; a probe changes nothing. */
  #afterMs(action: ActionKind, next: Campaign): number {
    if (next.state === "held") return this.#waitMs(next);
    // Only where the link is dark until the router follows does half a second count.
    const isOutage = next.state === "switching" || next.state === "reverting";
    return action === "probe" && !isOutage ? this.#waitMs(next) : stepMsMin;
  }

  #waitMs(campaign: Campaign): number {
    const { health, rotation, azure } = this.#parts.desired;
    const { pollMs } = health;
    switch (campaign.state) {
      case "draining":
        return Math.min(pollMs, rotation.drained.everyMs);
      case "switching": {
        if (entryOf(campaign).overlap === "breakBeforeMake") return Math.min(pollMs, 1_000);
        // A router that holds both keys misses nothing while the far end takes its time.
        return azure.farEnd === "manual" ? pollMs : Math.min(pollMs, overlapMs);
      }
      case "staging":
      case "staged":
      case "proving":
      case "promoting":
      case "retiring":
      case "restoring":
      case "reverting":
        return Math.min(pollMs, 1_000);
      case "queued":
      case "gated":
      case "awaitingPeer":
      case "held":
      case "done":
        return pollMs;
    }
  }

  async #record(
    campaign: Campaign,
    next: Campaign,
    taken: Step,
    link: DesiredLink,
    report: Report,
  ): Promise<void> {
    const { write } = this.#parts;
    const { come, measured } = report;
    if (come !== undefined) {
      await write({ kind: "settled", link: linkId(link), token: come.token });
    }
    for (const { what, ms } of measured) await write({ kind: "measured", what, ms });
    const moved = next.state !== campaign.state || next.at !== campaign.at;
    // The binding goes first: a campaign that is "done" without it would leave its key unmanaged.
    if (taken.next === "done" && moved) await this.#bind(campaign, taken, link, report);
    if (moved || isMarked(campaign, next)) {
      await write({ kind: "campaign", campaign: next });
    } else if (!sameReason(next.reason, campaign.reason)) this.#parts.note(next);
    // The time for taking a key back begins when that was decided.
    if (next.aborted && !campaign.aborted) this.#factCollector.entered();
    if (!moved) return;
    this.#factCollector.entered();
    if (next.at !== campaign.at) {
      this.#effects = new Effects(this.#parts);
      this.#factCollector = new FactCollector(this.#parts, this.#effects);
      // The next link is drained on rights that are read for it.
      this.#forgetRights();
    }
    // A new attempt, perhaps after a person mended the router: what failed before may work now.
    if (campaign.state === "gated") this.#effects.forgetFailures();
    const text = `${linkId(link)}: ${campaign.state} -> ${next.state}: ${reasonText(taken.reason)}`;
    this.#log("info", "campaign-step", text);
  }

  async #bind(
    campaign: Campaign,
    { mark }: Step,
    link: DesiredLink,
    { sak, laterSaks }: Report,
  ): Promise<void> {
    const { outcome } = mark;
    if (outcome !== "enrolled" && outcome !== "changed" && outcome !== "rotated") return;
    const entry = entryOf(campaign);
    const { key, settings } = entry.new;
    const since = this.#parts.world.clock.wall();
    const { created, generation } = entry;
    const id = linkId(link);
    // A rotation keeps the settings, and so the intent that they were accepted under.
    const kept = outcome === "rotated" ? named(this.#parts.memory().bindings, id) : undefined;
    const intent = kept?.intent ?? campaign.intent;
    const isWatched = outcome === "rotated" && laterSaks === "unproven" && sak !== undefined;
    const watched = isWatched ? { firstSak: sak } : {};
    const binding = { key, settings, since, created, generation, intent, how: outcome, ...watched };
    await this.#parts.write({ kind: "binding", link: id, binding });
  }

  #givesUnrecorded(link: DesiredLink, { code, message }: LinksealError): void {
    const text = `${linkId(link)} gets its traffic back without a record: ${message}`;
    this.#log("warn", code, text);
  }

  #log(level: "info" | "warn", code: string, text: string): void {
    this.#parts.world.log.write(level, code, text, { group: this.#parts.group.name });
  }
}

function isOwnCode(cause: Cause): cause is CauseOf<"gate.riskNotAccepted" | "gate.permit"> {
  return cause.code === "gate.riskNotAccepted" || cause.code === "gate.permit";
}

function isOfPeer(trouble: LinksealError | undefined): boolean {
  return trouble?.code.startsWith("peer.") === true;
}

/** A probe says nothing of a change that the router lost, and a router nothing of the far end. */
function isSilentOn(action: ActionKind, trouble: LinksealError | undefined): boolean {
  if (isOfPeer(trouble)) return action !== "putNew" && action !== "putOld";
  return action === "probe" && trouble?.code === "device.commitExpired";
}

const marks = [
  "touched",
  "told",
  "asked",
  "claimed",
  "proved",
  "soaked",
  "aborted",
  "shut",
  "goal",
  "oldSak",
] as const;

function isMarked(before: Campaign, after: Campaign): boolean {
  return marks.some((mark) => before[mark] !== after[mark]);
}
