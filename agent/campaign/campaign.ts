// The campaign machine: (campaign, facts) to step. Pure; the conductor is its only caller.
// It knows `enrol`: the first key of a link, break-before-make, the far end first.

import type { KeyRef, PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { RiskName } from "../desired.ts";

export const campaignStates = [
  "queued",
  "gated",
  "draining",
  "awaitingPeer",
  "switching",
  "proving",
  "restoring",
  "reverting",
  "held",
  "done",
] as const;
export type CampaignState = (typeof campaignStates)[number];

export type Outcome = "enrolled" | "reverted" | "abandoned";

export interface CampaignLink {
  readonly name: string;
  readonly device: string;
  readonly port: PortName;
  /** Frozen when the campaign is queued. */
  readonly key: KeyRef;
  /** Creation time of the CAK version. */
  readonly created: WallTime;
  readonly outcome: Outcome | undefined;
}

/** What the journal holds of a campaign; every field survives a crash. */
export interface Campaign {
  readonly group: string;
  readonly kind: "enrol";
  /** In the order in which they are taken. */
  readonly links: readonly CampaignLink[];
  /** Index of the link under way. */
  readonly at: number;
  readonly state: CampaignState;
  readonly since: WallTime;
  readonly because: string;
  /** Any put was sent, or the person was asked: the far end may know the new key. */
  readonly told: boolean;
  /** The operator said `proceed`. */
  readonly asked: boolean;
  /** The state that was left for `held`. */
  readonly heldFrom: CampaignState | undefined;
  readonly risks: readonly RiskName[];
  readonly by: string;
  /** Number of the accepted intent that it serves. */
  readonly intent: number;
}

/** `old` = as before this campaign (for enrol: MACsec off). */
export type FarEnd = "old" | "new" | "other" | "updating" | "failed" | "unknown";

export interface PortFacts {
  /** Keys on the port: none, exactly the new one, or anything else. */
  readonly keys: "none" | "new" | "else";
  readonly pending: boolean;
  /**
   * Secured by the new key, or in clear with BGP up and, once the far end moved, still answering.
   */
  readonly usable: boolean;
  /** What the device is told to do with the traffic of this port. */
  readonly drain: "off" | "on";
}

/** Something that must hold without a gap, and how far it has come. */
export type Evidence =
  | { readonly kind: "held" }
  | { readonly kind: "waiting"; readonly text: string };

export interface Facts {
  /** undefined = not readable now. */
  readonly port: PortFacts | undefined;
  readonly far: FarEnd;
  readonly sibling: "carrying" | "lost";
  /** Why an effect that takes may not run now; undefined = every gate holds. */
  readonly closedGate: string | undefined;
  /** Three quiet samples and no best path over the link, or the risk accepted by name. */
  readonly drained: Evidence;
  readonly proof: Evidence;
  /** The link carries by route and by probe and has stayed healthy for the soak time. */
  readonly carrying: Evidence;
  /** The replacement was validated on the candidate of the device. */
  readonly replacement:
    | { readonly kind: "valid" | "absent" }
    | { readonly kind: "refused"; readonly text: string };
  /** Accepted replacements of this process that a later look did not show. */
  readonly lostCommits: number;
  readonly overdue: boolean;
  readonly farEnd: "manual" | "agent";
}

export interface Action {
  readonly kind: "drain" | "restore" | "prepare" | "putNew" | "replace" | "probe";
}

export interface Step {
  readonly next: CampaignState;
  readonly action: Action | undefined;
  /** One sentence for the journal and for the operator. */
  readonly because: string;
  readonly mark: Partial<Pick<Campaign, "told" | "asked">> & { readonly outcome?: Outcome };
}

interface StepExtras {
  readonly action?: Action["kind"];
  readonly mark?: Step["mark"];
}

function step(next: CampaignState, because: string, extras: StepExtras = {}): Step {
  const action = extras.action === undefined ? undefined : { kind: extras.action };
  return { next, because, action, mark: extras.mark ?? {} };
}

/** The next step from what was just seen; total: whatever is not in the tables is `held`. */
export function decide(campaign: Campaign, facts: Facts): Step {
  switch (campaign.state) {
    case "queued":
      return step("gated", "the group is free");
    case "gated":
      return park(facts, "gated") ?? listening(facts, decideGated(campaign, facts));
    case "draining":
      return decideDraining(campaign, facts);
    case "awaitingPeer":
      return park(facts, "awaitingPeer") ?? listening(facts, decideAwaitingPeer(campaign, facts));
    case "switching":
      return giveBack(facts, "switching") ?? decideSwitching(campaign, facts);
    case "proving":
      return giveBack(facts, "proving") ?? decideProving(facts);
    case "restoring":
      return decideRestoring(facts);
    case "reverting":
      return giveBack(facts, "reverting") ?? decideReverting(facts);
    case "held":
      return decideHeld(campaign, facts);
    case "done":
      return step("done", campaign.because);
  }
}

/**
 * Parking rule: what is pending is settled, then a drained link that is usable gets its traffic
 * back.
 */
function park(facts: Facts, state: CampaignState): Step | undefined {
  if (facts.port === undefined || facts.port.pending) return undefined;
  if (facts.port.drain === "on" && facts.port.usable) {
    return step(state, "the link is usable, so its traffic comes back while nothing goes on", {
      action: "restore",
    });
  }
  return undefined;
}

/** Rule 3: with the sibling lost, a usable link gets its traffic back before anything else. */
function giveBack(facts: Facts, state: CampaignState): Step | undefined {
  if (facts.sibling === "carrying" || facts.port === undefined) return undefined;
  if (facts.port.pending || facts.port.drain === "off" || !facts.port.usable) return undefined;
  return step(state, "the sibling was lost while this link is usable: traffic comes back first", {
    action: "restore",
  });
}

/** Only packets of our own can show that a drained link carries again. */
function listening(facts: Facts, taken: Step): Step {
  const { port } = facts;
  const dark = port !== undefined && !port.usable && port.drain === "on" && !port.pending;
  return dark && taken.action === undefined ? { ...taken, action: { kind: "probe" } } : taken;
}

/** What made it hold stays the reason, whatever is done meanwhile. */
function decideHeld(campaign: Campaign, facts: Facts): Step {
  const parked = park(facts, "held");
  if (parked !== undefined) return { ...parked, because: campaign.because };
  return listening(facts, step("held", campaign.because));
}

function decideGated(campaign: Campaign, facts: Facts): Step {
  const { port, far } = facts;
  if (port?.keys === "else") {
    return step("gated", "a key that is not of this campaign is on the port (gate.leftoverKey)");
  }
  if (far === "failed" && port?.usable === false && (campaign.told || port.keys === "new")) {
    return step("held", "the far end reports a failed change and the link is dark");
  }
  if (port?.keys === "new" && far === "old" && !port.usable) {
    return step("held", "the router holds the new key and the far end has MACsec off: link dark");
  }
  if (far === "other") return step("held", "the far end uses a key that is not of this campaign");
  if (port?.keys === "none" && far === "new" && !port.usable && !port.pending) {
    // Following gives the link back, and no gate may stop what gives.
    return step("switching", "the far end has the new key and the link is dark", {
      mark: { told: true },
    });
  }
  if (facts.farEnd === "manual" && far === "old" && !campaign.asked) {
    return step("awaitingPeer", "a person must point the far end at the new key");
  }
  if (facts.closedGate !== undefined) return step("gated", facts.closedGate);
  return step("draining", "all gates hold", { action: "drain" });
}

function decideDraining(campaign: Campaign, facts: Facts): Step {
  const { port, far } = facts;
  if (port === undefined) {
    return facts.overdue
      ? step("held", "the router cannot be read, and so not be drained")
      : step("draining", "the router cannot be read");
  }
  const begun = port.keys === "new" || campaign.told;
  if (facts.sibling === "lost") {
    return begun
      ? step("gated", "the sibling was lost while the traffic moved away")
      : step("restoring", "the sibling was lost before anything was begun", {
          mark: { outcome: "reverted" },
        });
  }
  if (facts.overdue && facts.drained.kind === "waiting") {
    return begun
      ? step("held", `the link could not be drained in time: ${facts.drained.text}`)
      : step("restoring", `the link could not be drained in time: ${facts.drained.text}`, {
          mark: { outcome: "reverted" },
        });
  }
  if (port.keys === "else" || far === "failed" || far === "other") {
    return step("held", "the two ends show a state that no campaign made");
  }
  if (port.pending) return waitForCommit(facts, "draining");
  if (facts.lostCommits >= lostCommitsMax) {
    const text = "the router accepted the drain and lost it, again and again";
    return begun ? step("held", text) : step("restoring", text, { mark: { outcome: "reverted" } });
  }
  if (facts.drained.kind === "held") return decideDrained(campaign, facts, port);
  return port.drain === "off"
    ? step("draining", "traffic is moved away", { action: "drain" })
    : step("draining", facts.drained.text);
}

/** What somebody else has pending would take ours with it when it reverts. */
function waitForCommit(facts: Facts, state: CampaignState): Step {
  return facts.overdue
    ? step("held", "a commit that is not of this campaign stays pending on the router")
    : step(state, "a commit that is not of this campaign is pending on the router");
}

function decideDrained(campaign: Campaign, facts: Facts, port: PortFacts): Step {
  switch (facts.far) {
    case "updating":
      return step("switching", "the far end is being changed");
    case "new":
      return port.keys === "new"
        ? step("proving", "both ends hold the new key")
        : step("switching", "the far end has the new key already", { mark: { told: true } });
    case "old":
      if (port.keys === "new") return step("reverting", "the far end never took the new key");
      return facts.farEnd === "manual"
        ? decideManualDrained(facts)
        : step("switching", "drained: the far end comes first", { action: "prepare" });
    case "unknown":
      return facts.overdue
        ? step("held", "the far end cannot be read")
        : step("draining", "the far end cannot be read");
    case "failed":
    case "other":
      return step("held", `the far end is ${facts.far}; ${campaign.because}`);
  }
}

/** A person is asked only for what the router is known to follow. */
function decideManualDrained(facts: Facts): Step {
  switch (facts.replacement.kind) {
    case "refused":
      return step("reverting", `the router refuses the new key: ${facts.replacement.text}`);
    case "absent":
      return facts.overdue
        ? step("reverting", "the router did not validate the new key in time")
        : step("draining", "the new key is validated on the router first", { action: "prepare" });
    case "valid":
      return step("switching", "drained: change the far end now", { mark: { told: true } });
  }
}

function decideAwaitingPeer(campaign: Campaign, facts: Facts): Step {
  switch (facts.far) {
    case "new":
      return step("switching", "the far end was changed", { mark: { told: true } });
    case "other":
    case "failed":
      return step("held", "the far end uses something that is not of this campaign");
    case "old":
    case "updating":
    case "unknown":
      return campaign.asked
        ? step("gated", "the operator said proceed")
        : step("awaitingPeer", "a person must point the far end at the new key");
  }
}

function decideSwitching(campaign: Campaign, facts: Facts): Step {
  const { port, far } = facts;
  switch (far) {
    case "updating":
    case "unknown":
      return facts.overdue
        ? step("held", "nobody knows whether the far end obeyed: look at it before anything else")
        : step("switching", "waiting for the far end to finish its change");
    case "failed":
    case "other":
      return step("held", `the far end is ${far === "failed" ? "failed" : "set to another key"}`);
    case "new":
      return decideFollow(facts, port);
    case "old":
      return facts.farEnd === "manual" ? decideManualOld(facts) : decidePut(campaign, facts);
  }
}

/** A router that loses what it accepted is not asked for ever. */
const lostCommitsMax = 3;

/** The far end reads new: the router follows the moment the link has left its old state. */
function decideFollow(facts: Facts, port: PortFacts | undefined): Step {
  if (port === undefined) {
    return facts.overdue
      ? step("held", "the far end has the new key and the router cannot be read")
      : step("switching", "the router cannot be read");
  }
  if (port.keys === "new") return step("proving", "both ends hold the new key");
  if (port.keys === "else") return step("held", "a foreign key is on the port");
  if (port.pending) return waitForCommit(facts, "switching");
  if (port.usable) {
    return facts.overdue
      ? step("held", "the far end says it has the new key, yet the link still passes clear frames")
      : step("switching", "waiting for the link to leave its old state", { action: "probe" });
  }
  if (facts.replacement.kind === "refused") {
    return step("held", `the router refuses the new key: ${facts.replacement.text}`);
  }
  if (facts.lostCommits >= lostCommitsMax) {
    return step("held", "the router accepted the new key and lost it, again and again: link dark");
  }
  if (facts.overdue && facts.replacement.kind === "absent") {
    return step("held", "the router could not be given the new key in time: link dark");
  }
  return step("switching", "the far end has the new key: the router follows", {
    action: facts.replacement.kind === "valid" ? "replace" : "prepare",
  });
}

function decideManualOld(facts: Facts): Step {
  if (facts.overdue || facts.sibling === "lost") {
    return step("gated", "the far end was not changed", { mark: { asked: false } });
  }
  return step("switching", "change the far end now: it still has MACsec off");
}

function decidePut(campaign: Campaign, facts: Facts): Step {
  if (facts.replacement.kind === "refused") {
    return step("reverting", `the router refuses the new key: ${facts.replacement.text}`);
  }
  if (facts.overdue) {
    return facts.sibling === "carrying"
      ? step("reverting", "the far end did not take the new key in time")
      : step("gated", "the far end did not take the new key in time");
  }
  const taken =
    facts.closedGate ??
    (facts.drained.kind === "waiting" ? facts.drained.text : undefined) ??
    (facts.port?.keys === "none" ? undefined : "the port is not as the campaign left it");
  if (taken !== undefined) return step("switching", taken);
  if (facts.replacement.kind === "absent") {
    return step("switching", "the new key is validated on the router first", { action: "prepare" });
  }
  const again = campaign.told ? "asked again" : "asked";
  return step("switching", `the far end is ${again} to use the new key`, {
    action: "putNew",
    mark: { told: true },
  });
}

function decideProving(facts: Facts): Step {
  const { port, far } = facts;
  if (far === "other" || far === "old" || far === "failed") {
    return step("held", "the far end left the new key: put it back, or resume");
  }
  if (port !== undefined && port.keys !== "new") {
    return far === "new"
      ? step("switching", "the new key is not on the port")
      : step("held", "the new key is gone from the port");
  }
  if (facts.proof.kind === "held") return step("restoring", "the new key is proven both ways");
  if (facts.overdue) return step("held", `no proof in time: ${facts.proof.text}`);
  return step("proving", facts.proof.text, { action: "probe" });
}

function decideRestoring(facts: Facts): Step {
  const { port } = facts;
  if (port === undefined) {
    return facts.overdue
      ? step("held", "the router cannot be read while traffic should come back")
      : step("restoring", "the router cannot be read");
  }
  if (port.pending) return waitForCommit(facts, "restoring");
  if (port.drain === "on" && !facts.overdue) {
    return step("restoring", "traffic comes back", { action: "restore" });
  }
  if (port.drain === "off" && facts.carrying.kind === "held") {
    if (port.keys === "new" && facts.far === "new") {
      return step("done", "the link is protected", { mark: { outcome: "enrolled" } });
    }
    if (port.keys === "none" && facts.far === "old") {
      return step("done", "nothing was changed", { mark: { outcome: "reverted" } });
    }
  }
  const waits =
    facts.carrying.kind === "waiting" ? facts.carrying.text : `the far end is ${facts.far}`;
  if (facts.overdue) return step("held", `the link does not carry again: ${waits}`);
  return step("restoring", waits, { action: "probe" });
}

function decideReverting(facts: Facts): Step {
  const { port, far } = facts;
  if (port?.keys === "none" && far === "old") {
    return step("restoring", "nothing of ours is on either end", { mark: { outcome: "reverted" } });
  }
  if (port === undefined || far === "unknown" || far === "updating") {
    return facts.overdue
      ? step("held", "the two ends cannot be read")
      : step("reverting", "waiting to read both ends");
  }
  return step("held", "an enrolment never goes back: a person must put MACsec off at both ends");
}

/** The record after a step; a link that is done hands over to the next one only after success. */
export function advance(campaign: Campaign, taken: Step, at: WallTime): Campaign {
  const links = campaign.links.map((link, index) =>
    index === campaign.at && taken.mark.outcome !== undefined
      ? { ...link, outcome: taken.mark.outcome }
      : link,
  );
  const moved = taken.next !== campaign.state;
  const next: Campaign = {
    ...campaign,
    links,
    state: taken.next,
    since: moved ? at : campaign.since,
    because: taken.because,
    told: taken.mark.told ?? campaign.told,
    asked: taken.mark.asked ?? campaign.asked,
    heldFrom: taken.next === "held" && moved ? campaign.state : campaign.heldFrom,
  };
  const finished = taken.next === "done" && links[campaign.at]?.outcome === "enrolled";
  if (!finished || campaign.at + 1 >= links.length) return next;
  return {
    ...next,
    at: campaign.at + 1,
    state: "queued",
    because: "the link before it is protected",
    told: false,
    asked: false,
    heldFrom: undefined,
  };
}
