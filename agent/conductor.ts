// Runs one group's campaign: look, decide, journal the step, run the effect, look again. Never
// another order.

import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import {
  advance,
  type Campaign,
  type CampaignLink,
  decide,
  type Evidence,
  type Facts,
  type PortFacts,
  type Step,
} from "./campaign.ts";
import { type DesiredLink, linkId, type RiskName } from "./desired.ts";
import { type EffectParts, Effects } from "./effects.ts";
import {
  advanceProof,
  advanceQuiet,
  brokenRun,
  carries,
  closedGate,
  drainedOf,
  farEndOf,
  heldFor,
  type LinkView,
  portFacts,
  portOf,
  proofOf,
  type QuietRun,
  type Run,
} from "./facts.ts";
import type { Memory } from "./memory.ts";

export interface ConductorParts extends EffectParts {
  readonly memory: () => Memory;
  /** A new sentence for the operator, not worth a record. */
  readonly note: (campaign: Campaign) => void;
  readonly acceptsRisk: (risk: RiskName) => boolean;
  /** The moment this process began: a put of its predecessor may land until `putGrace` after it. */
  readonly startedAt: Instant;
  /** Addresses that the agent itself must reach. */
  readonly ownAddresses: readonly string[];
}

/** What one process knows of the link under way; a crash loses it, and nothing depends on that. */
interface Progress {
  enteredAt: Instant;
  proof: Run | undefined;
  quiet: QuietRun | undefined;
  steady: Run | undefined;
  /** When the far end was first seen on the new key. */
  movedAt: Instant | undefined;
  readonly effects: Effects;
}

const stepMsMin = 500;
const troubleMs = 5_000;

export class Conductor {
  readonly #parts: ConductorParts;
  #progress: Progress;
  #trouble: LinksealError | undefined;

  constructor(parts: ConductorParts) {
    this.#parts = parts;
    this.#progress = this.#freshProgress();
  }

  /** The last error of an effect; gone once an effect succeeds. */
  get trouble(): LinksealError | undefined {
    return this.#trouble;
  }

  #freshProgress(): Progress {
    const { clock } = this.#parts.world;
    return {
      enteredAt: clock.now(),
      proof: undefined,
      quiet: undefined,
      steady: undefined,
      movedAt: undefined,
      effects: new Effects(this.#parts),
    };
  }

  /** One turn of the loop; the number of ms to wait before the next one. */
  async turn(campaign: Campaign, signal: AbortSignal): Promise<number> {
    const link = this.#link(campaign);
    if (link === undefined) return this.#parts.desired.health.pollMs;
    const facts = await this.#look(campaign, link, signal);
    const taken = decide(campaign, facts);
    const next = advance(campaign, taken, this.#parts.world.clock.wall());
    try {
      // Journal first: where it cannot be written, nothing is done to any device (F42).
      await this.#record(campaign, next, taken, link);
      if (taken.action === undefined) {
        return next.state === campaign.state ? this.#waitMs(next) : 0;
      }
      await this.#progress.effects.run(
        taken.action,
        link,
        next.links[campaign.at] ?? entryOf(campaign),
        signal,
      );
      this.#trouble = undefined;
      return next.state === "held" ? this.#waitMs(next) : stepMsMin;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#trouble = error;
      const what = taken.action?.kind ?? "record";
      this.#log("warn", error.code, `${what}: ${error.message}`);
      return troubleMs;
    }
  }

  #link(campaign: Campaign): DesiredLink | undefined {
    const name = campaign.links[campaign.at]?.name;
    return this.#parts.group.links.find((link) => link.name === name);
  }

  #waitMs(campaign: Campaign): number {
    const { pollMs } = this.#parts.desired.health;
    switch (campaign.state) {
      case "switching":
      case "proving":
      case "restoring":
        return Math.min(pollMs, 1_000);
      case "queued":
      case "gated":
      case "draining":
      case "awaitingPeer":
      case "reverting":
      case "held":
      case "done":
        return pollMs;
    }
  }

  async #record(campaign: Campaign, next: Campaign, taken: Step, link: DesiredLink): Promise<void> {
    const moved = next.state !== campaign.state || next.at !== campaign.at;
    const marked = next.told !== campaign.told || next.asked !== campaign.asked;
    if (moved) {
      this.#progress.enteredAt = this.#parts.world.clock.now();
      this.#progress.steady = undefined;
      if (next.at !== campaign.at) this.#progress = this.#freshProgress();
      this.#log(
        "info",
        "campaign-step",
        `${linkId(link)}: ${campaign.state} -> ${next.state}: ${taken.because}`,
      );
    }
    // The binding goes first: a campaign that says "done" without it would leave the key to nobody.
    if (taken.mark.outcome === "enrolled") await this.#bind(campaign, link);
    if (moved || marked) await this.#parts.write({ kind: "campaign", campaign: next });
    else if (next.because !== campaign.because) this.#parts.note(next);
  }

  /**
   * Before it, nothing on the far end is settled: a put of ours or of a predecessor may still land.
   */
  #settledFrom(link: DesiredLink): Instant {
    const start = instantAfter(this.#parts.startedAt, this.#parts.desired.rotation.putGraceMs);
    const put = this.#parts.graces.get(linkId(link));
    return put !== undefined && put > start ? put : start;
  }

  async #bind(campaign: Campaign, link: DesiredLink): Promise<void> {
    const { key, created } = entryOf(campaign);
    const since = this.#parts.world.clock.wall();
    const binding = { key, since, created, how: "enrolled" as const };
    await this.#parts.write({ kind: "binding", link: linkId(link), binding });
  }

  async #look(campaign: Campaign, link: DesiredLink, signal: AbortSignal): Promise<Facts> {
    const { lookout, group } = this.#parts;
    const devices = [...new Set(group.links.map((each) => each.device))];
    const [peer] = await Promise.all([
      lookout.lookPeer(link, signal),
      ...devices.map((name) => lookout.look(name, signal)),
    ]);
    const seen = lookout.failure(link.device) === undefined;
    const view = { ...lookout.view(link), peer, ...(seen ? {} : { state: undefined }) };
    return this.#facts(campaign, link, view, signal);
  }

  async #facts(
    campaign: Campaign,
    link: DesiredLink,
    view: LinkView,
    signal: AbortSignal,
  ): Promise<Facts> {
    const { world, desired, group } = this.#parts;
    const progress = this.#progress;
    const now = world.clock.now();
    const { key } = entryOf(campaign);
    const far = farEndOf(view.peer, key, now, this.#settledFrom(link));
    progress.movedAt = far === "new" ? (progress.movedAt ?? now) : undefined;
    const port = portFacts(view, key, progress.movedAt);
    this.#trouble = progress.effects.judge(link, port, now) ?? this.#trouble;
    progress.proof = advanceProof(progress.proof, view, key, far, now);
    progress.quiet = advanceQuiet(progress.quiet, view, desired.rotation.drained.everyMs, now);
    const siblings = group.links
      .filter((each) => each.name !== link.name)
      .map((each) => this.#sibling(each));
    const gateInput = {
      view,
      far,
      siblings,
      beforeDrain: port?.drain !== "on",
      ownPath: await this.#ownPath(link, signal),
      acceptsUnknownPath: this.#accepts(campaign, "ownPathUnknown"),
      hostWall: world.clock.wall(),
    };
    return {
      port,
      far,
      sibling: siblings.every((each) => each.carries === "carrying") ? "carrying" : "lost",
      closedGate: closedGate(gateInput),
      drained: this.#drained(campaign),
      proof: proofOf(progress.proof, view, desired.rotation, now),
      carrying: this.#carrying(view, port),
      replacement: progress.effects.replacement(),
      lostCommits: progress.effects.lostCommits,
      overdue: now - progress.enteredAt > this.#deadlineMs(campaign),
      farEnd: desired.azure.farEnd,
    };
  }

  #accepts(campaign: Campaign, risk: RiskName): boolean {
    return campaign.risks.includes(risk) || this.#parts.acceptsRisk(risk);
  }

  #sibling(link: DesiredLink): { name: string; carries: string; view: LinkView } {
    const { lookout, memory } = this.#parts;
    const view = lookout.view(link);
    const accepted = memory().bindings[linkId(link)]?.key;
    const failing = lookout.failure(link.device);
    const state = failing === undefined ? carries(view, accepted) : failing.text;
    return { name: link.name, carries: state, view };
  }

  #drained(campaign: Campaign): Evidence {
    if (this.#parts.group.drain === "none" && this.#accepts(campaign, "noDrain")) {
      return { kind: "held" };
    }
    return drainedOf(this.#progress.quiet, this.#parts.desired.rotation.drained.samples);
  }

  /** Traffic is back by route and by probe, and has stayed so for the soak time. */
  #carrying(view: LinkView, port: PortFacts | undefined): Evidence {
    const { world, desired } = this.#parts;
    const now = world.clock.now();
    const gap = this.#carryingGap(view, port);
    const frames = strongValue(portOf(view.state, view.link.port)?.frames ?? never(now));
    if (gap !== undefined) this.#progress.steady = brokenRun(now, gap);
    else if (this.#progress.steady?.frames === undefined) {
      this.#progress.steady = { since: now, frames, broken: undefined };
    }
    const run = this.#progress.steady;
    if (run?.broken !== undefined) return { kind: "waiting", text: run.broken };
    if (run === undefined) return { kind: "waiting", text: "no look yet" };
    return heldFor(run, desired.rotation.soakMs, now, "the link carries");
  }

  #carryingGap(view: LinkView, port: PortFacts | undefined): string | undefined {
    if (port === undefined) return "the router cannot be read";
    if (port.drain === "on") return "the link is still drained";
    if (!port.usable) return "the link is not usable";
    const sessions =
      view.state === undefined ? undefined : strongValue(view.state.routing)?.sessions;
    const own = sessions?.filter((session) => session.port === view.link.port) ?? [];
    if (own.length === 0 || own.some((session) => !session.up)) return "BGP is not up on the link";
    const { probe } = view;
    if (probe !== undefined && probe.at >= this.#progress.enteredAt && probe.answered === 0) {
      return "probes are not answered";
    }
    return undefined;
  }

  #deadlineMs(campaign: Campaign): number {
    const { rotation } = this.#parts.desired;
    const { verifyMs, settleMs, soakMs, farEndMs, drained } = rotation;
    switch (campaign.state) {
      case "draining":
        return verifyMs + 2 * drained.samples * drained.everyMs;
      case "switching":
      case "reverting":
        return farEndMs;
      case "proving":
        return verifyMs + 2 * settleMs;
      case "restoring":
        return 2 * verifyMs + 2 * soakMs;
      case "queued":
      case "gated":
      case "awaitingPeer":
      case "held":
      case "done":
        return Number.POSITIVE_INFINITY;
    }
  }

  /** Does the agent reach the router, the vault or Azure over the link it is about to touch? */
  async #ownPath(
    link: DesiredLink,
    signal: AbortSignal,
  ): Promise<"elsewhere" | "overThisLink" | "unknown"> {
    const { ownAddresses } = this.#parts;
    let answer: "elsewhere" | "unknown" = "elsewhere";
    for (const address of ownAddresses) {
      // A socket of this host crosses no link.
      if (address.startsWith("unix:")) continue;
      const port = await this.#routeTo(link, address, signal);
      if (port === link.port) return "overThisLink";
      if (port === undefined) answer = "unknown";
    }
    return answer;
  }

  async #routeTo(
    link: DesiredLink,
    address: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      const device = await this.#parts.lookout.device(link.device, signal);
      return await device.routeTo(address, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return undefined;
    }
  }

  #log(level: "info" | "warn", code: string, text: string): void {
    this.#parts.world.log.write(level, code, text, { group: this.#parts.group.name });
  }
}

function entryOf(campaign: Campaign): CampaignLink {
  const entry = campaign.links[campaign.at];
  if (entry === undefined)
    throw new Error(`campaign of ${campaign.group} has no link ${campaign.at}`);
  return entry;
}

function never(at: Instant): { kind: "unknown"; why: "queryFailed"; at: Instant } {
  return { kind: "unknown", why: "queryFailed", at };
}
