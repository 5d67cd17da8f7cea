// Compares wanted with observed state and lists what would be done, in order, and by which actor.
// The code is pure; `plan` shows and `apply` acts by the same list.

import type { Capabilities, DeviceChange } from "#hal/device.ts";
import type { ErrorCode } from "#hal/error.ts";
import { type Ckn, type KeyRef, strongValue } from "#hal/model.ts";
import { takenBackOn } from "../health/in-force.ts";
import { settingsGaps } from "../health/verify.ts";
import type { CampaignLink, CampaignState } from "../model/campaign.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  linkId,
  type RiskName,
} from "../model/desired.ts";
import { type Failure, type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import { changeOf, sameSettings } from "../rotation/change.ts";
import { type Estimate, type ForecastStep, forecast } from "../rotation/forecast.ts";
import { type Memory, openCampaign } from "../store/journal/memory.ts";
import { detectionFindings } from "./detection.ts";
import { type Drift, driftOf } from "./drift.ts";
import { newestSecretId, vaultBaseOf } from "./ends.ts";
import { type FarEndMove, farEndNotes } from "./far-end-drift.ts";
import { driftFindings, sidesOf } from "./rules.ts";
import { numbered, type Sends, type SendsOf } from "./sends.ts";
import { planTunnels, type TunnelPlanInput } from "./tunnel-plan.ts";

/** How a link compares with the intent. */
export type Standing =
  | { readonly kind: "unreadable"; readonly why: string }
  /** No key on either end: an enrolment may begin. */
  | { readonly kind: "clear" }
  /** A key on one end that this agent does not own: `adopt`. */
  | { readonly kind: "unmanaged"; readonly why: string }
  | { readonly kind: "managed"; readonly key: KeyRef; readonly drift: readonly Drift[] };

/** Compares a link's two ends with the intent and with the key that the agent remembers for it. */
export function standingOf(
  snapshot: LinkSnapshot,
  memory: Memory,
  capabilities: Capabilities | undefined,
): Standing {
  const { link, state, peer } = snapshot;
  const port = portOf(state, link.port);
  const keys = port === undefined ? undefined : strongValue(port.keys);
  if (state === undefined) return { kind: "unreadable", why: `${link.device} cannot be read` };
  if (port === undefined) {
    return { kind: "unreadable", why: `${link.device} shows no port ${link.port}` };
  }
  if (keys === undefined || port.settings.kind === "unknown") {
    return { kind: "unreadable", why: `the MACsec settings of ${link.port} cannot be read` };
  }
  const binding = memory.bindings[linkId(link)];
  if (binding !== undefined) {
    return {
      kind: "managed",
      key: binding.key,
      drift: driftOf(snapshot, binding.key, {
        capabilities,
        staged: campaignKeys(memory, link),
        takenBack: takenBackOn(memory, link),
      }),
    };
  }
  if (peer === undefined) return { kind: "unreadable", why: "the far end cannot be read" };
  if (keys.length > 0 || port.settings.value !== undefined) {
    return { kind: "unmanaged", why: "the router already has MACsec on this port" };
  }
  if (peer.pointsAt !== undefined) {
    return { kind: "unmanaged", why: "the far end already uses a key" };
  }
  return { kind: "clear" };
}

/**
 * The keys that a campaign of this agent moves the link from and to: while it runs, each of them
 * may be on either end.
 */
function campaignKeys(memory: Memory, { group, name }: DesiredLink): readonly KeyRef[] {
  const entry = openCampaign(memory, group)?.links.find((one) => one.name === name);
  if (entry === undefined) return [];
  return [entry.new.key, ...(entry.old === undefined ? [] : [entry.old.key])];
}

interface PlanStep {
  readonly n: number;
  readonly where: string;
  readonly link: string | null;
  readonly does: string;
  readonly preview: string;
  readonly darkMs: { readonly low: number; readonly high: number };
  readonly risk: RiskName | null;
  /** What its device is sent for it; absent = the step sends nothing to a device of ours. */
  readonly sends?: Sends;
  /** The campaign's state in which the step is done; present for steps of campaigns. */
  readonly state?: CampaignState;
  /** The expected duration of that state. */
  readonly takes?: Estimate;
  /** null = the link carries all the time. */
  readonly dark?: ForecastStep["dark"];
  /**
   * `person`: no step of ours does it: another actor changed the far end, and an operator must put
   * it back; `reconcile`: the agent does it without a campaign. Absent = a campaign, or the set-up
   * of a tunnel.
   */
  readonly by?: "person" | "reconcile";
}

/** The steps that applying the config would take (`linkseal plan --json`). */
export interface Plan {
  /** The JSON schema's name and version. */
  readonly schema: "linkseal.plan/1";
  /** False if no step is the agent's to do. */
  readonly wouldChange: boolean;
  /** The steps in the order in which they would happen. */
  readonly steps: readonly PlanStep[];
  /** What is not done, and the command that goes on from there. */
  readonly notes: readonly {
    readonly about: string;
    readonly text: string;
    readonly next: string;
    /**
     * The error code with which a command would be refused; present if the note stops everything.
     */
    readonly code?: ErrorCode;
    /**
     * `limit`: of what is wanted, both ends are as the config wants them nevertheless; `check`: a
     * person compares it with what is there before the config is accepted.
     */
    readonly kind?: "limit" | "check";
  }[];
}

/** What a plan is made from. */
export interface PlanInput extends TunnelPlanInput {
  /** Returns the newest observations of both ends of a link. */
  readonly snapshot: (link: DesiredLink) => LinkSnapshot;
  /** Why the last read of a link's far end failed; absent = the reason is not known. */
  readonly peerFailure?: (link: DesiredLink) => Failure | undefined;
  /** Returns how a link's far end is another one than before; absent = none is. */
  readonly moveOf?: (link: DesiredLink) => FarEndMove | undefined;
  /** Looks up what a device is sent for a step. */
  readonly sends: SendsOf;
}

type Draft = Omit<PlanStep, "n" | "sends"> & { readonly change?: DeviceChange };
type Note = Plan["notes"][number];

/**
 * Plans everything that the intent would change on both ends, in the order in which it would
 * happen.
 */
export function plan(input: PlanInput): Plan {
  const drafts: Draft[] = [];
  const notes: Note[] = [];
  const tunnels = planTunnels(input);
  drafts.push(...tunnels.steps);
  notes.push(...tunnels.notes);
  for (const group of input.desired.groups) planGroup(input, group, drafts, notes);
  const steps = numbered(drafts, input.sends);
  const wouldChange = steps.some(({ by }) => by !== "person");
  return { schema: "linkseal.plan/1", wouldChange, steps, notes };
}

function planGroup(input: PlanInput, group: DesiredGroup, drafts: Draft[], notes: Note[]): void {
  for (const link of group.links) {
    const farEnds = farEndOf(input, link);
    notes.push(...farEnds);
    const standing = standingOf(
      input.snapshot(link),
      input.memory,
      input.capabilities(link.device),
    );
    switch (standing.kind) {
      case "unreadable":
        notes.push(unreadable(linkId(link), standing.why));
        break;
      case "unmanaged":
        notes.push(unmanagedNote(input.memory, link, standing.why));
        break;
      case "clear":
        drafts.push(...enrolSteps(input.desired, group, link));
        break;
      case "managed": {
        const change = changeWanted(input, link, standing.drift);
        if (change !== undefined) {
          drafts.push(...changeSteps(input, group, change));
          break;
        }
        const { step, rest } = settingsStep(input, link, standing.drift);
        drafts.push(...step);
        for (const drift of rest) planDrift(input.desired, link, drift, drafts, notes);
        if (farEnds.length === 0) drafts.push(...farEndSteps(link, standing.drift));
        break;
      }
    }
    notes.push(...endNotes(input, link), ...lateNotes(input, link));
  }
}

/** The first key of a link may be the one that an enrolment of ours has just put there. */
function unmanagedNote(memory: Memory, link: DesiredLink, why: string): Note {
  const about = linkId(link);
  if (campaignKeys(memory, link).length === 0) {
    return { about, text: why, next: `linkseal adopt ${about}` };
  }
  return {
    about,
    text: "a campaign of this agent gives it its key",
    next: `linkseal rotation show ${link.group}`,
  };
}

/**
 * The campaign for settings that differ from the accepted ones and that the driver cannot mend
 * without one.
 */
function changeWanted(
  { memory }: PlanInput,
  link: DesiredLink,
  drift: readonly Drift[],
): CampaignLink | undefined {
  const binding = memory.bindings[linkId(link)];
  if (binding === undefined || sameSettings({ link, binding })) return undefined;
  return drift.some(({ repair }) => repair === undefined) ? changeOf({ link, binding }) : undefined;
}

/**
 * Settings of a newer config that the agent sets without a campaign, whatever `repair` says: the
 * router still has those of before, so no operator has changed them.
 */
function settingsStep(
  { memory, snapshot }: PlanInput,
  link: DesiredLink,
  drift: readonly Drift[],
): { readonly step: readonly Draft[]; readonly rest: readonly Drift[] } {
  const binding = memory.bindings[linkId(link)];
  const port = portOf(snapshot(link).state, link.port);
  const observed = port === undefined ? undefined : strongValue(port.settings);
  const mine = drift.filter(({ repair }) => repair?.every(({ kind }) => kind === "macsec.protect"));
  const [first] = mine;
  const isAsBefore =
    binding !== undefined &&
    !sameSettings({ link, binding }) &&
    settingsGaps(binding.settings, observed).length === 0;
  if (first?.repair === undefined || !isAsBefore) return { step: [], rest: drift };
  const step: Draft = {
    where: link.device,
    link: linkId(link),
    does: "change settings, which cannot interrupt the port",
    preview: `~ ${mine.map(({ text }) => text).join("; ")}`,
    darkMs: lit,
    risk: null,
    by: "reconcile",
    change: first.repair,
  };
  return { step: [step], rest: drift.filter((one) => !mine.includes(one)) };
}

function changeSteps(
  { desired, memory, capabilities }: PlanInput,
  group: DesiredGroup,
  change: CampaignLink,
): readonly Draft[] {
  const { measures } = memory;
  const links = [change];
  const urgency = "planned" as const;
  return forecast({ desired, group, kind: "change", links, urgency, measures, capabilities });
}

function planDrift(
  desired: Desired,
  link: DesiredLink,
  drift: Drift,
  drafts: Draft[],
  notes: Note[],
): void {
  const isMended = desired.repair === "on" || drift.by !== undefined;
  if (isMended && drift.repair !== undefined) {
    drafts.push({
      where: link.device,
      link: linkId(link),
      does: "mend what cannot interrupt the port",
      preview: `~ ${drift.text}`,
      darkMs: lit,
      risk: null,
      by: "reconcile",
      // One change mends all settings, and it is shown once.
      ...(drafts.some(({ change }) => change === drift.repair) ? {} : { change: drift.repair }),
    });
    return;
  }
  if (drift.farEnd !== undefined) return;
  notes.push({ about: linkId(link), ...undone(desired, drift) });
}

/** Why a drift is not mended, and what goes on from there. */
function undone({ repair }: Desired, drift: Drift): Pick<Note, "text" | "next"> {
  const { text, waits, next } = drift;
  if (drift.repair === undefined && waits === undefined) {
    return { text, next: next ?? "linkseal doctor" };
  }
  const act = "set repair: on, then linkseal apply";
  if (next === undefined) return { text, next: act };
  const until = waits === undefined ? "" : `; with repair: on the agent waits until ${waits}`;
  return { text: `${text}${until}`, next: repair === "on" ? next : `${act}, or ${next}` };
}

/** Notes about the far end of a link that has a key; a far end without one has steps of its own. */
function farEndOf(input: PlanInput, link: DesiredLink): readonly Note[] {
  const { desired, memory, snapshot, peerFailure, moveOf, acceptsRisk } = input;
  const key = memory.bindings[linkId(link)]?.key;
  if (key === undefined) return [];
  const isUnseen = desired.azure.farEnd === "manual" && acceptsRisk("farEndUnseen");
  const { peer } = snapshot(link);
  const found = { failure: peerFailure?.(link), move: moveOf?.(link), isUnseen };
  return farEndNotes({ link, key, peer, ...found });
}

/** The settings that the far end needs, so that one plan covers both ends. */
function farEndSteps(link: DesiredLink, drift: readonly Drift[]): readonly Draft[] {
  // A far end never gets a key that the router does not hold: that drift has a next act of its own.
  if (drift.some(({ next }) => next !== undefined)) return [];
  const parts = drift.flatMap(({ farEnd }) => (farEnd === undefined ? [] : [farEnd]));
  if (parts.length === 0) return [];
  return [
    {
      where: `${link.group} ${link.azureLink}`,
      link: linkId(link),
      does:
        "a person looks at both ends, of which the far end was changed outside linkseal: " +
        `\`linkseal ends ${linkId(link)}\` prints the write, if one is safe`,
      preview: `~ ${parts.join(", ")}`,
      darkMs: darkOfEnrolMs,
      risk: null,
      by: "person",
    },
  ];
}

/** Notes about contradictions between the two ends that no step of ours mends. */
function endNotes(input: PlanInput, link: DesiredLink): readonly Note[] {
  const { state, peer } = input.snapshot(link);
  const key = input.memory.bindings[linkId(link)]?.key;
  const ends = {
    link,
    port: portOf(state, link.port),
    capabilities: input.capabilities(link.device),
    peer,
    vaultBase: vaultBaseOf(input.desired.azure, [key?.cakSecretId]),
    accepted: key,
  };
  // The note about a far end that is another one says more than this finding.
  const isMoved = input.moveOf?.(link) !== undefined;
  const findings = driftFindings(ends).filter(
    ({ code }) => !(isMoved && code === "identifier-other-secret"),
  );
  return findings.map((found) => ({
    about: found.about,
    text: sidesOf(found),
    next: found.next,
  }));
}

/** Notes about peerings that outlive a loss, which no config describes. */
function lateNotes(input: PlanInput, link: DesiredLink): readonly Note[] {
  const device = input.desired.devices.find(({ name }) => name === link.device);
  if (device === undefined) return [];
  const found = detectionFindings(link, device.driver, input.snapshot(link).state);
  return found.map(({ about, here, next }) => ({ about, text: here, next, kind: "limit" }));
}

function unreadable(about: string, text: string): Note {
  return { about, text, next: "linkseal status" };
}

/**
 * The outage of an enrolment in milliseconds: session set-up after the router's commit takes up to
 * four hello waits (field bound: 8 s), plus the commit.
 */
const darkOfEnrolMs = { low: 500, high: 15_000 };
const lit = { low: 0, high: 0 };

function enrolSteps(desired: Desired, group: DesiredGroup, link: DesiredLink): readonly Draft[] {
  const id = linkId(link);
  const { suite, includeSci } = link.settings;
  const farEnd = desired.azure.farEnd;
  const draft = (
    where: string,
    does: string,
    preview: string,
    extra: Partial<Draft> = {},
  ): Draft => ({
    where,
    link: id,
    does,
    preview,
    darkMs: lit,
    risk: null,
    ...extra,
  });
  const { drain: means } = group;
  const { port, settings } = link;
  const key = firstKeyOf(desired, link);
  const first: DeviceChange = [
    { kind: "macsec.protect", port, settings },
    { kind: "macsec.addKey", port, key, role: "primary" },
  ];
  const turn = (kind: "port.drain" | "port.restore"): Partial<Draft> =>
    means === "none" ? {} : { change: [{ kind, port, means }] };
  return [
    draft(
      link.device,
      "move the traffic to the sibling link",
      `+ ${group.drain} on ${link.port}`,
      turn("port.drain"),
    ),
    draft(
      `${group.name} ${link.azureLink}`,
      farEnd === "agent"
        ? "give the far end its first key"
        : "wait for a person to give the far end its first key",
      `+ macSecConfig ${suite} sci ${includeSci ? "on" : "off"} ${link.key.ckn} ${link.key.cak}`,
      { darkMs: darkOfEnrolMs, risk: "breakBeforeMake" },
    ),
    draft(
      link.device,
      "follow with the key and must-secure, then prove both directions",
      `+ macsec ${link.port} must-secure ${suite} [secret cak]`,
      { change: first },
    ),
    draft(
      link.device,
      "bring the traffic back",
      `- ${group.drain} on ${link.port}`,
      turn("port.restore"),
    ),
  ];
}

/** A plan does not read the vault: the CKN and the versions of the pair are words. */
function firstKeyOf({ azure }: Desired, { key }: DesiredLink): KeyRef {
  return {
    ckn: `CKN-OF-${key.ckn}` as Ckn,
    cakSecretId: newestSecretId(azure, key.cak),
    cknSecretId: newestSecretId(azure, key.ckn),
  };
}
