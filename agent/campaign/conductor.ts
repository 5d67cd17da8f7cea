// Runs one group's campaign: look, decide, journal the step, run the effect, look again. Never
// another order.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { type DesiredLink, linkId, type RiskName } from "../desired.ts";
import type { Memory } from "../journal/memory.ts";
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
import { type EffectParts, Effects } from "./effects.ts";
import {
  advanceProof,
  advanceQuiet,
  carries,
  closedGate,
  drainedOf,
  farEndOf,
  heldFor,
  type LinkView,
  portFacts,
  proofOf,
  type QuietRun,
  type Run,
} from "./facts.ts";

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
const routeMsMax = 10_000;

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
      // A probe that ran says nothing about a change that the router lost.
      const isProbe = taken.action.kind === "probe";
      if (!isProbe || this.#trouble?.code !== "device.commitExpired") this.#trouble = undefined;
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
    // The binding goes first: a campaign that says "done" without it would leave the key to nobody.
    if (taken.mark.outcome === "enrolled") await this.#bind(campaign, link);
    if (moved || marked) await this.#parts.write({ kind: "campaign", campaign: next });
    else if (next.because !== campaign.because) this.#parts.note(next);
    if (!moved) return;
    this.#progress.enteredAt = this.#parts.world.clock.now();
    this.#progress.steady = undefined;
    if (next.at !== campaign.at) this.#progress = this.#freshProgress();
    // A new attempt, perhaps after a person mended the router: what failed before may work now.
    if (campaign.state === "gated") this.#progress.effects.forgetFailures();
    const text = `${linkId(link)}: ${campaign.state} -> ${next.state}: ${taken.because}`;
    this.#log("info", "campaign-step", text);
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
    const looks = devices.map(async (name) => [name, await lookout.look(name, signal)] as const);
    const [peer, ...pairs] = await Promise.all([lookout.lookPeer(link, signal), ...looks]);
    const states = new Map(pairs);
    // Only this very look counts: one that another loop began may be older than our last effect.
    const seen = (each: DesiredLink): LinkView => ({
      ...lookout.view(each),
      state: states.get(each.device),
    });
    return this.#facts(campaign, link, { ...seen(link), peer }, seen, signal);
  }

  async #facts(
    campaign: Campaign,
    link: DesiredLink,
    view: LinkView,
    seen: (link: DesiredLink) => LinkView,
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
      .map((each) => this.#sibling(seen(each)));
    const gateInput = {
      view,
      far,
      siblings,
      // Once begun, the link may be dark by our own doing, and only going on lights it.
      beforeDrain: port?.drain !== "on" && !campaign.told && port?.keys !== "new",
      ownPath: await this.#ownPath(link, signal),
      acceptsUnknownPath: this.#accepts(campaign, "ownPathUnknown"),
      hostWall: world.clock.wall(),
    };
    return {
      port,
      far,
      sibling: siblings.every((each) => each.carries === "carrying") ? "carrying" : "lost",
      closedGate: closedGate(gateInput),
      drained: this.#drained(),
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

  #sibling(view: LinkView): { name: string; carries: string; view: LinkView } {
    const { lookout, memory } = this.#parts;
    const { link } = view;
    const accepted = memory().bindings[linkId(link)]?.key;
    const failing = lookout.failure(link.device);
    const state = failing === undefined ? carries(view, accepted) : failing.text;
    return { name: link.name, carries: state, view };
  }

  #drained(): Evidence {
    return drainedOf(this.#progress.quiet, this.#parts.desired.rotation.drained.samples);
  }

  /** Traffic is back by route and by probe, and has stayed so for the soak time. */
  #carrying(view: LinkView, port: PortFacts | undefined): Evidence {
    const { world, desired } = this.#parts;
    const now = world.clock.now();
    const gap = this.#carryingGap(view, port);
    const before = this.#progress.steady;
    const goesOn = before !== undefined && before.broken === undefined;
    const run: Run =
      gap === undefined && goesOn ? before : { since: now, frames: undefined, broken: gap };
    this.#progress.steady = run;
    if (run.broken !== undefined) return { kind: "waiting", text: run.broken };
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
    const { world, lookout } = this.#parts;
    const limit = { ms: routeMsMax, where: link.device, effect: "none" } as const;
    try {
      return await withDeadline(world.clock, limit, signal, async (bounded) =>
        (await lookout.device(link.device, bounded)).routeTo(address, bounded),
      );
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
