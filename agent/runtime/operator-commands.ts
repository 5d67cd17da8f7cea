// Operator commands: campaigns, drains, adoption. They run between the turns of their group.

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { strongValue } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import { type EndStep, endStep } from "../compare/end-step.ts";
import { type Plan, standingOf } from "../compare/plan.ts";
import { type Campaign, type CampaignLink, entryOf } from "../model/campaign.ts";
import {
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
  type RiskName,
} from "../model/desired.ts";
import { causeText } from "../model/reason-text.ts";
import { portFacts } from "../rotation/facts.ts";
import { isUntaken, waitsForPermit } from "../rotation/permit.ts";
import { command, type ObservedEnds, type OperatorInput } from "../rotation/verbs.ts";
import { type JournalRecord, type Memory, named, openCampaign } from "../store/journal/memory.ts";
import type { Asked } from "./campaigns/begin.ts";
import { endFacts } from "./campaigns/end-facts.ts";
import { type Adoption, matchExisting } from "./campaigns/enrolment.ts";
import type { Undrained } from "./campaigns/manual-drain.ts";
import { type RehearsalSnapshot, rehearsalSnapshotOf } from "./campaigns/rehearsal-snapshot.ts";
import type { KeyedMutex } from "./polling/keyed-mutex.ts";
import { type Supervisor, tunnelsKey } from "./supervisor.ts";
import type { PskReport } from "./tunnels/psk-report.ts";
import { type RetiredTunnel, retireTunnel } from "./tunnels/tunnel-retire.ts";

export interface OperatorCommandsParts {
  readonly world: Pick<World, "clock">;
  readonly mutex: KeyedMutex;
  readonly memory: () => Memory;
  /** @throws LinksealError if no supervisor runs, with the reason. */
  readonly supervisor: (target: string) => Supervisor;
  readonly write: (record: JournalRecord) => Promise<void>;
  /**
   * @throws LinksealError while the journal is not whole: until its loss is accepted the agent only
   * observes.
   */
  readonly refuseDamaged: () => void;
}

/** A campaign after an operator's command. */
export interface Commanded {
  readonly campaign: Campaign;
  readonly isNew: boolean;
}

/** The operator who asks for a campaign, and the risks accepted with it. */
export type Asking = Pick<Asked, "by" | "risks">;

/** The operator's commands to the running agent. */
export class OperatorCommands {
  readonly #parts: OperatorCommandsParts;

  constructor(parts: OperatorCommandsParts) {
    this.#parts = parts;
  }

  /**
   * Begins the enrolment, or the change of settings, that an operator asks for.
   * @throws LinksealError with the reason if there is none to begin.
   */
  async enrol(target: string, asked: Asking, signal: AbortSignal): Promise<Campaign> {
    const begun = await this.#begin("enrol", target, { ...asked, urgency: "planned" }, signal);
    if (begun !== undefined) return begun;
    this.#refuseLost(target, "enrolled");
    const text = "no link of it is without a key on both ends";
    throw refusal("gate.leftoverKey", target, text, `linkseal adopt ${target}`);
  }

  /** @throws LinksealError if the router of a link that is managed already lacks its key. */
  #refuseLost(target: string, done: "adopted" | "enrolled"): void {
    const { supervisor, links } = this.#target(target);
    const { deviceCache } = supervisor;
    for (const link of links) {
      const snapshot = deviceCache.snapshot(link);
      const capabilities = deviceCache.capabilities(link.device);
      const standing = standingOf(snapshot, this.#parts.memory(), capabilities);
      if (standing.kind !== "managed") continue;
      const lost = standing.drift.find(({ next }) => next !== undefined);
      if (lost?.next === undefined) continue;
      const text = `${linkId(link)} is managed, so nothing is ${done}: ${lost.text}`;
      throw refusal("gate.leftoverKey", linkId(link), text, lost.next);
    }
  }

  /** Begins the rotation that an operator asks for. @throws LinksealError if it may not begin. */
  async rotate(
    target: string,
    asked: Asking & Pick<Asked, "urgency">,
    signal: AbortSignal,
  ): Promise<Campaign> {
    const begun = await this.#begin("rotate", target, asked, signal);
    if (begun !== undefined) return begun;
    throw refusal("gate.busy", target, "nothing of it can be rotated now", "linkseal links");
  }

  /** Plans that rotation at both ends, with the checks that would stop it; writes nothing. */
  async previewRotation(
    target: string,
    asked: Asking & Pick<Asked, "urgency">,
    signal: AbortSignal,
  ): Promise<Plan> {
    const { supervisor, group, links } = this.#target(target);
    return await supervisor.preview(
      group,
      { ...asked, links: links.map(({ name }) => name) },
      signal,
    );
  }

  /** The rehearsal snapshot: everything that a rehearsal needs. */
  twin(target: string): RehearsalSnapshot {
    const { supervisor, group } = this.#target(target);
    const { desired } = supervisor.intent;
    const capabilities = (device: string) => supervisor.deviceCache.capabilities(device);
    return rehearsalSnapshotOf({ desired, group, memory: this.#parts.memory(), capabilities });
  }

  async #begin(
    kind: "enrol" | "rotate",
    target: string,
    asked: Asking & Pick<Asked, "urgency">,
    signal: AbortSignal,
  ): Promise<Campaign | undefined> {
    this.#parts.refuseDamaged();
    const { supervisor, group, links } = this.#target(target);
    const names = links.map((link) => link.name);
    const begun = await this.#parts.mutex.run(group.name, async () => {
      const open = openCampaign(this.#parts.memory(), group.name);
      const ended = open && this.#endedFor(open, asked);
      return await supervisor.begin(group, kind, { ...asked, links: names }, signal, ended);
    });
    const waiting = supervisor.waiting(group.name);
    if (begun !== undefined || waiting === undefined) return begun;
    const { refusal: code, text, next } = waiting;
    throw new LinksealError(code, text, { effect: "none", where: group.name, next });
  }

  /**
   * Returns an open campaign as `abandon` ends it, where an emergency takes its place: it waits for
   * the hub's permit and has taken no link. The emergency itself waits for no hub.
   * @throws LinksealError `gate.busy` if the campaign stays
   */
  #endedFor(open: Campaign, { urgency, by }: Pick<Asked, "urgency" | "by">): Campaign {
    const { group } = open;
    if (!waitsForPermit(open)) throw busy(group);
    if (urgency === "emergency") {
      const observed = this.#observed(open, entryOf(open));
      const input = { verb: "abandon", farEndDone: false, by } as const;
      const verdict = command(open, input, observed, this.#parts.world.clock.wall());
      if (isUntaken(open, observed.port) && verdict.kind === "accepted") return verdict.campaign;
    }
    const text = "a campaign waits there for a permit of the hub, and must be ended first";
    throw refusal("gate.busy", group, text, `linkseal rotation abandon ${group}`);
  }

  /** Moves the traffic of a link or tunnel away, until `undrain` or until no sibling is left. */
  async drain(id: string, by: string, signal: AbortSignal): Promise<void> {
    const isTunnel = await this.#onTunnel(id, (supervisor, tunnel) =>
      supervisor.tunnelTraffic.drain(tunnel, by, signal),
    );
    if (isTunnel) return;
    await this.#onLink(id, async (supervisor, group, link) => {
      if (openCampaign(this.#parts.memory(), group.name) !== undefined) throw busy(group.name);
      await supervisor.manualDrains(group).drain(link, by, signal);
    });
  }

  /**
   * Brings the traffic back; `nothing` = it is there. @throws LinksealError `gate.busy` if a
   * campaign works on the link: only the campaign knows when its traffic may return.
   */
  async undrain(id: string, signal: AbortSignal): Promise<Undrained> {
    let undrained: Undrained = "nothing";
    const isTunnel = await this.#onTunnel(id, async (supervisor, tunnel) => {
      undrained = await supervisor.tunnelTraffic.undrain(tunnel, signal);
    });
    if (isTunnel) return undrained;
    await this.#onLink(id, async (supervisor, group, link) => {
      const campaign = openCampaign(this.#parts.memory(), group.name);
      if (campaign !== undefined && entryOf(campaign).name === link.name) throw busy(group.name);
      undrained = await supervisor.manualDrains(group).undrain(link, signal);
    });
    return undrained;
  }

  /**
   * Confirms that the tunnel's far end has the newest key version, or writes it there if the agent
   * may.
   */
  async proceedPsk(name: string, by: string, signal: AbortSignal): Promise<PskReport> {
    let report: PskReport | undefined;
    await this.#onTunnel(name, async (supervisor, tunnel) => {
      if (tunnel.auth.kind === "certificate") {
        const text = `${name} shows a certificate and has no pre-shared key`;
        throw refusal("usage", name, text, "linkseal psk show");
      }
      report = await supervisor.tunnelChanges.proceed(tunnel, by, signal);
    });
    if (report !== undefined) return report;
    throw refusal("usage", name, "the accepted intent names no such tunnel", "linkseal psk show");
  }

  /** Returns false if no tunnel has that name. */
  async #onTunnel(
    id: string,
    act: (supervisor: Supervisor, tunnel: DesiredTunnel) => Promise<void>,
  ): Promise<boolean> {
    const supervisor = this.#parts.supervisor(id);
    const tunnel = supervisor.intent.desired.tunnels.find(({ name }) => name === id);
    if (tunnel === undefined) return false;
    this.#parts.refuseDamaged();
    await this.#parts.mutex.run(tunnelsKey, () => act(supervisor, tunnel));
    return true;
  }

  async #onLink(
    id: string,
    act: (supervisor: Supervisor, group: DesiredGroup, link: DesiredLink) => Promise<void>,
  ): Promise<void> {
    this.#parts.refuseDamaged();
    const { supervisor, group, links } = this.#target(id);
    const [link] = links;
    if (link === undefined || linkId(link) !== id) {
      const text = "this takes one link at a time: name it as GROUP/LINK";
      throw refusal("usage", id, text, "linkseal links");
    }
    await this.#parts.mutex.run(group.name, () => act(supervisor, group, link));
  }

  /** Decides from both ends, read anew, what an operator does next there; writes nothing. */
  async ends(id: string, signal: AbortSignal): Promise<EndStep> {
    let step: EndStep | undefined;
    await this.#onLink(id, async (supervisor, group, link) => {
      const open = openCampaign(this.#parts.memory(), group.name);
      const isUnderWay = open !== undefined && entryOf(open).name === link.name;
      if (isUnderWay && open.state !== "held") throw busy(group.name);
      const drains = supervisor.manualDrains(group);
      step = endStep(await endFacts(supervisor.beginParts(), { group, link, drains }, signal));
      if (open === undefined) return;
      if (isUnderWay) {
        // What a stopped campaign has left is its own to go on from.
        if (step.kind === "nothing")
          step = { ...step, next: `linkseal rotation resume ${group.name}` };
        return;
      }
      // A campaign waits for ever beside a link whose key the journal does not know.
      if (step.kind !== "nothing" || step.next === null) throw busy(group.name);
      step = { ...step, next: `linkseal rotation abandon ${group.name}, then ${step.next}` };
    });
    if (step === undefined) throw new RangeError(`${id} was not observed`);
    if (step.kind !== "refused") return step;
    throw new LinksealError(step.code, step.text, { effect: "none", where: id, next: step.next });
  }

  /** Takes links that an operator protected manually into the intent; writes to no device. */
  async adopt(
    target: string,
    risks: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Adoption[]> {
    this.#parts.refuseDamaged();
    const { supervisor, links, group } = this.#target(target);
    return await this.#parts.mutex.run(group.name, async () => {
      if (openCampaign(this.#parts.memory(), group.name) !== undefined) throw busy(group.name);
      const found = await matchExisting(supervisor.beginParts(), links, risks, signal);
      for (const { link, binding } of found)
        await this.#parts.write({ kind: "binding", link, binding });
      if (found.length === 0) this.#refuseLost(target, "adopted");
      return found;
    });
  }

  /**
   * Passes an operator's command to a campaign, between two of its steps. `isNew`: false = it was
   * given before and holds, so nothing was written.
   */
  async rotation(input: OperatorInput, name: string, who: string): Promise<Commanded> {
    return await this.#parts.mutex.run(name, () => this.#command(input, name, who));
  }

  async #command(input: OperatorInput, name: string, who: string): Promise<Commanded> {
    const last = named(this.#parts.memory().campaigns, name);
    const campaign = input.verb === "revert" ? last : openCampaign(this.#parts.memory(), name);
    if (campaign === undefined)
      throw refusal("gate.busy", name, "no campaign runs there", "linkseal rotation show");
    const left = campaign.links.find(({ outcome }) => outcome === "abandoned");
    const entry = campaign.state === "done" && left !== undefined ? left : entryOf(campaign);
    const observed = this.#observed(campaign, entry);
    const verdict = command(
      campaign,
      { ...input, by: who },
      observed,
      this.#parts.world.clock.wall(),
    );
    if (verdict.kind === "refused") {
      const { why, next = `linkseal rotation show ${name}` } = verdict;
      throw refusal("gate.busy", name, causeText(why), next);
    }
    const next = verdict.campaign;
    const { reason, since } = campaign;
    if (encodeJson({ ...next, reason, since }) === encodeJson(campaign)) {
      return { campaign, isNew: false };
    }
    if (next.state === "done") await this.#bindLeft(next, name);
    await this.#parts.write({ kind: "campaign", campaign: next });
    return { campaign: next, isNew: true };
  }

  #observed(campaign: Campaign, entry: CampaignLink): ObservedEnds {
    const { group } = campaign;
    const supervisor = this.#parts.supervisor(group);
    const link = supervisor.link(`${group}/${entry.name}`);
    const old = entry.old?.key.cakSecretId ?? "";
    const isDeclared = named(this.#parts.memory().compromised, old) !== undefined;
    const oldKey = isDeclared ? ("compromised" as const) : ("trusted" as const);
    if (link === undefined) return { port: undefined, far: "unknown", oldKey };
    const now = this.#parts.world.clock.now();
    const snapshot = supervisor.deviceCache.snapshot(link);
    const control = snapshot.state === undefined ? undefined : strongValue(snapshot.state.control);
    const pending = control?.commitPending === false ? "none" : "foreign";
    const history = {
      moved: undefined,
      pending,
      overlap: undefined,
      outageSince: undefined,
      settleMs: 0,
      now,
    } as const;
    return {
      port: portFacts(snapshot, entry, history),
      far: supervisor.farSetTo(campaign, entry, link),
      oldKey,
    };
  }

  /**
   * If both ends of an abandoned link already moved to the new key, that key is recorded as its
   * own.
   */
  async #bindLeft(campaign: Campaign, group: string): Promise<void> {
    for (const entry of campaign.links) {
      const { port, far } = this.#observed(campaign, entry);
      const moved = far === "new" && port?.keys === "new" && port.carriedBy === "new";
      if (entry.outcome !== "abandoned" || entry.old === undefined || !moved) continue;
      const { key, settings } = entry.new;
      const { created, generation } = entry;
      const since = this.#parts.world.clock.wall();
      const id = `${group}/${entry.name}`;
      const how = campaign.kind === "change" ? ("changed" as const) : ("rotated" as const);
      const kept = how === "rotated" ? named(this.#parts.memory().bindings, id) : undefined;
      const intent = kept?.intent ?? campaign.intent;
      const binding = { key, settings, since, created, generation, intent, how };
      await this.#parts.write({ kind: "binding", link: id, binding });
    }
  }

  /** Forgets a link: both ends stay as they are, and must-secure is never loosened. */
  async retireLink(id: string): Promise<void> {
    const [group = ""] = id.split("/", 1);
    await this.#parts.mutex.run(group, async () => {
      if (named(this.#parts.memory().bindings, id) === undefined)
        throw refusal("usage", id, "no such link is managed", "linkseal links");
      // A running campaign relies on the known state of its siblings.
      if (openCampaign(this.#parts.memory(), group) !== undefined) throw busy(group);
      await this.#parts.write({ kind: "forget", link: id });
    });
  }

  /** Removes a tunnel that no config names any more from its device, and forgets it. */
  async retireTunnel(
    name: string,
    risks: readonly RiskName[],
    signal: AbortSignal,
  ): Promise<RetiredTunnel> {
    this.#parts.refuseDamaged();
    const { retireParts } = this.#parts.supervisor(name);
    return await this.#parts.mutex.run(tunnelsKey, () =>
      retireTunnel(retireParts, name, risks, signal),
    );
  }

  #target(target: string): {
    readonly supervisor: Supervisor;
    readonly group: DesiredGroup;
    readonly links: readonly DesiredLink[];
  } {
    const supervisor = this.#parts.supervisor(target);
    const [groupName] = target.split("/", 1);
    const group = supervisor.intent.desired.groups.find((each) => each.name === groupName);
    const links =
      group?.links.filter((link) => target === group.name || target === linkId(link)) ?? [];
    if (group === undefined || links.length === 0) {
      throw refusal(
        "usage",
        target,
        "the accepted intent names no such group or link",
        "linkseal links",
      );
    }
    return { supervisor, group, links };
  }
}

function refusal(
  code: "usage" | "gate.busy" | "gate.leftoverKey" | "gate.riskNotAccepted",
  where: string,
  text: string,
  next: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next });
}

function busy(group: string): LinksealError {
  return refusal(
    "gate.busy",
    group,
    "a campaign runs on this group",
    `linkseal rotation show ${group}`,
  );
}
