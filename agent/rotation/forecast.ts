// What a campaign will do at both ends, step by step, and how long each step takes and darkens the
// link: pure, from what was measured here before, or from defaults that say that they are.

import type { Capabilities, DeviceChange } from "#hal/device.ts";
import type { KeyRef, WantedSettings } from "#hal/model.ts";
import { settingsGaps } from "../health/verify.ts";
import type { Campaign, CampaignLink, CampaignState } from "../model/campaign.ts";
import { shortCkn } from "../model/ckn-text.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  linkId,
  type RiskName,
} from "../model/desired.ts";
import { type Memory, named } from "../store/journal/memory.ts";

/** A duration before it is known. */
export interface Estimate {
  /** The shortest expected duration, in milliseconds. */
  readonly low: number;
  /** The likely duration, in milliseconds. */
  readonly likely: number;
  /** The longest expected duration, in milliseconds. */
  readonly high: number;
  /** `fixed`: by config and physics. `measured`: seen here before. `firstRun`: only a default. */
  readonly basis: "fixed" | "measured" | "firstRun";
}

/** The outage that a step brings, by its side: this agent cannot bound that of the far end. */
interface DarkForecast {
  readonly theirs: Estimate;
  readonly ours: Estimate;
  /** Frames are lost only where the link is not drained. */
  readonly drained: boolean;
}

/** One step that a campaign will take. */
export interface ForecastStep {
  /** The state of the campaign in which it is done. */
  readonly state: CampaignState;
  /** The end that the step changes: the router, or the group and its link in Azure. */
  readonly where: string;
  /** The link as `group/link`. */
  readonly link: string;
  /** What the step does, in words. */
  readonly does: string;
  /**
   * The change in one line: `+` adds, `-` removes, `~` changes, `?` checks, `=` leaves all as it
   * is.
   */
  readonly preview: string;
  /** How long the link passes no frames in this step; both 0 = not at all. */
  readonly darkMs: { readonly low: number; readonly high: number };
  /** The risk that the step needs; null = none. */
  readonly risk: RiskName | null;
  /** The duration of the step. */
  readonly takes: Estimate;
  /** The outage of the step by its side; null = there is none. */
  readonly dark: DarkForecast | null;
  /** What the step asks of the router, if that can be shown before the campaign; else absent. */
  readonly change?: DeviceChange;
}

export interface ForecastInput {
  readonly desired: Pick<Desired, "azure" | "rotation" | "devices">;
  readonly group: DesiredGroup;
  readonly kind: "rotate" | "change";
  /** The links in the order in which they are taken. */
  readonly links: readonly CampaignLink[];
  readonly urgency: Campaign["urgency"];
  readonly measures: Memory["measures"];
  readonly capabilities: (device: string) => Capabilities | undefined;
}

/** Returns every step of the campaign, link after link. */
export function forecast(input: ForecastInput): readonly ForecastStep[] {
  return input.links.flatMap((entry) => {
    const link = input.group.links.find(({ name }) => name === entry.name);
    return link === undefined ? [] : new LinkForecast(input, link, entry).steps();
  });
}

const bases = ["fixed", "measured", "firstRun"] as const;

/** Adds durations; a sum is as good as its weakest part. */
export function sum(parts: readonly Estimate[]): Estimate {
  return parts.reduce(
    (total, { low, likely, high, basis }) => ({
      low: total.low + low,
      likely: total.likely + likely,
      high: total.high + high,
      basis: bases.indexOf(basis) > bases.indexOf(total.basis) ? basis : total.basis,
    }),
    exactly(0),
  );
}

function exactly(ms: number): Estimate {
  return { low: ms, likely: ms, high: ms, basis: "fixed" };
}

function firstRun(low: number, likely: number, high: number): Estimate {
  return { low, likely, high, basis: "firstRun" };
}

/** Bounds of nature and habit, for which nothing is measured. */
function within(low: number, likely: number, high: number): Estimate {
  return { low, likely, high, basis: "fixed" };
}

/** A router that already speaks under the key is heard within its next hello (2 s). */
const joinMs = within(0, 1_000, 4_000);
/** Two ends that both begin: live after 2 to 4 s with a hello of 2 s. */
const formMs = within(1_000, 2_000, 8_000);
/** The time between the far end's hardware dropping one key and taking the next; not published. */
const farGapMs = within(500, 1_500, 5_000);
/** The time from the hardware's change until the management API reports it. */
const farSentMs = within(0, 1_000, 5_000);
const commitDefaultMs = firstRun(500, 1_500, 20_000);
const observeMs = within(100, 500, 5_000);
const prepareMs = within(200, 500, 10_000);
const farEndLowMs = 10_000;
const farEndLikelyMs = 30_000;
/** While a state is under way it is observed this often. */
const turnMs = within(500, 1_000, 2_000);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

function measuredAs(values: readonly number[] | undefined): Estimate | undefined {
  if (values === undefined || values.length === 0) return undefined;
  // The few that were measured do not bound the next one.
  const low = Math.floor(0.8 * Math.min(...values));
  const high = Math.ceil(1.25 * Math.max(...values));
  return { low, likely: median(values), high, basis: "measured" };
}

const noTime = exactly(0);

class LinkForecast {
  readonly #input: ForecastInput;
  readonly #link: DesiredLink;
  readonly #entry: CampaignLink;

  constructor(input: ForecastInput, link: DesiredLink, entry: CampaignLink) {
    this.#input = input;
    this.#link = link;
    this.#entry = entry;
  }

  steps(): readonly ForecastStep[] {
    const { group, urgency, kind } = this.#input;
    const breaks = this.#entry.overlap === "breakBeforeMake";
    const twice = group.retire === "afterSoak" && urgency === "planned" && !breaks;
    const soak = twice ? [this.#restore("soak"), ...this.#drain(), this.#prove()] : [];
    return [
      ...(breaks ? this.#breakBeforeMake() : this.#overlapped()),
      this.#prove(),
      ...(this.#entry.overlap === "fallback" ? [this.#promote(), this.#prove()] : []),
      ...soak,
      ...(breaks ? [] : [this.#retire()]),
      ...(urgency === "emergency" && kind === "rotate" ? [this.#freshSak()] : []),
      this.#restore("end"),
    ];
  }

  /** The router holds both keys before the far end moves. */
  #overlapped(): readonly ForecastStep[] {
    const staged = [...this.#drain(), this.#stage()];
    if (!this.#isManual()) return [...staged, this.#switch()];
    return [...staged, this.#restore("wait"), this.#person(), ...this.#drain(), this.#switch()];
  }

  /** The far end moves first; what follows waits on the candidate. */
  #breakBeforeMake(): readonly ForecastStep[] {
    const ready = [...this.#drain(), this.#prepare()];
    if (this.#farEndStays()) return [...ready, this.#follow()];
    const wait = this.#isManual() ? [this.#person()] : [];
    return [...wait, ...ready, this.#switch(), this.#follow()];
  }

  #isManual(): boolean {
    return this.#input.desired.azure.farEnd === "manual";
  }

  #isDrained(): boolean {
    return this.#input.group.drain !== "none";
  }

  /** A change that concerns the router alone. */
  #farEndStays(): boolean {
    const { old, new: wanted } = this.#entry;
    if (this.#input.kind === "rotate" || old === undefined) return false;
    const { suite, includeSci } = old.settings;
    return suite === wanted.settings.suite && includeSci === wanted.settings.includeSci;
  }

  #shutsFirst(): boolean {
    const device = this.#input.desired.devices.find(({ name }) => name === this.#link.device);
    return device?.quirks.includes("shutBeforeKeyChange") === true;
  }

  #step(
    state: CampaignState,
    does: string,
    preview: string,
    takes: Estimate,
    more: StepDetails = {},
  ): ForecastStep {
    const { where = this.#link.device, risk = null } = more;
    const dark = more.dark === undefined ? null : { ...more.dark, drained: this.#isDrained() };
    const whole = dark === null ? noTime : sum([dark.theirs, dark.ours]);
    const darkMs = { low: whole.low, high: whole.high };
    const step = { state, where, link: linkId(this.#link), does, preview, darkMs, risk, takes };
    return { ...step, dark, ...(more.change === undefined ? {} : { change: more.change }) };
  }

  #turn(kind: "port.drain" | "port.restore"): { readonly change?: DeviceChange } {
    const { drain: means } = this.#input.group;
    return means === "none" ? {} : { change: [{ kind, port: this.#link.port, means }] };
  }

  #drain(): readonly ForecastStep[] {
    const { group, desired } = this.#input;
    const { port, name } = this.#link;
    if (group.drain === "none") return [];
    const siblings = group.links.filter((link) => link.name !== name).map((link) => link.name);
    const { samples, everyMs } = desired.rotation.drained;
    const quiet = exactly(samples * everyMs);
    const settle = exactly(this.#capabilities()?.drain?.settleMs ?? 3_000);
    const takes = sum([this.#commit(), settle, quiet, observeMs, turnMs]);
    const does = `move the traffic to ${siblings.join(", ")}`;
    const risk = group.drain === "peeringShutdown" ? { risk: "hardDrain" as const } : {};
    const details = { ...risk, ...this.#turn("port.drain") };
    return [this.#step("draining", does, `+ ${group.drain} on ${port}`, takes, details)];
  }

  #stage(): ForecastStep {
    const { overlap, new: wanted } = this.#entry;
    const role = overlap === "fallback" ? " as fallback" : "";
    // The change is applied with a timer, observed, and confirmed.
    const takes = sum([prepareMs, this.#keyCommit(), observeMs, turnMs, observeMs]);
    const preview = `+ pre-shared key ${shortCkn(wanted.key.ckn)}${role} [secret cak]`;
    return this.#step(
      "staging",
      "add the next key beside the present one",
      preview,
      takes,
      this.#shut(),
    );
  }

  #prepare(): ForecastStep {
    const takes = sum([prepareMs, turnMs]);
    const does = "validate what follows on the candidate; what runs stays as it is";
    return this.#step("draining", does, `? ${this.#replacement()}`, takes);
  }

  #replacement(): string {
    const { port } = this.#link;
    const { old, new: wanted } = this.#entry;
    if (this.#input.kind === "change") return `macsec ${port} ${gapsText(old?.settings, wanted)}`;
    const before = shortCkn(old?.key.ckn ?? "none");
    return `macsec ${port} key ${before} -> ${shortCkn(wanted.key.ckn)} [secret cak]`;
  }

  #person(): ForecastStep {
    const does = `wait for a person: linkseal rotation proceed ${this.#input.group.name}`;
    return this.#step(
      "awaitingPeer",
      does,
      "= the link carries meanwhile, as long as it takes",
      noTime,
      {
        where: this.#farEnd(),
      },
    );
  }

  /** The outage time begins when the far end's hardware leaves the old key. */
  #switch(): ForecastStep {
    const breaks = this.#entry.overlap === "breakBeforeMake";
    const what = this.#input.kind === "change" ? "the next settings" : "the next key";
    const does = this.#isManual()
      ? `wait for a person to give the far end ${what}`
      : `give the far end ${what}`;
    const risk = breaks ? "breakBeforeMake" : this.#isDrained() ? undefined : "noDrain";
    return this.#step("switching", does, this.#farPreview(), this.#farOperation(), {
      where: this.#farEnd(),
      dark: { theirs: farGapMs, ours: breaks ? noTime : this.#join() },
      ...(risk === undefined ? {} : { risk }),
    });
  }

  #farPreview(): string {
    const { key, settings } = this.#entry.new;
    const sci = settings.includeSci ? "on" : "off";
    const pair = `${versionOf(key.cknSecretId)} ${versionOf(key.cakSecretId)}`;
    return `~ macSecConfig ${settings.suite} sci ${sci} ${pair}`;
  }

  #follow(): ForecastStep {
    const takes = sum([this.#afterMove(), observeMs]);
    const alone = this.#farEndStays();
    const does = alone
      ? "change the settings of the drained link"
      : "follow as soon as the far end has moved and the link has dropped";
    const { settings } = this.#entry.new;
    const protect = { kind: "macsec.protect", port: this.#link.port, settings } as const;
    return this.#step("switching", does, `~ ${this.#replacement()}`, takes, {
      ...(this.#input.kind === "change" ? { change: [protect] } : {}),
      risk: "breakBeforeMake",
      dark: { theirs: noTime, ours: alone ? this.#breakAlone() : this.#break() },
    });
  }

  #prove(): ForecastStep {
    const { settleMs, proofFrames } = this.#input.desired.rotation;
    const takes = sum([exactly(settleMs), observeMs, turnMs]);
    const blind = this.#capabilities()?.probe === undefined ? { risk: "noProbe" as const } : {};
    const ckn = shortCkn(this.#entry.new.key.ckn);
    const preview = `? ${proofFrames} protected frames each way under ${ckn}`;
    return this.#step(
      "proving",
      "prove it by MKA and by counters, without a gap",
      preview,
      takes,
      blind,
    );
  }

  #promote(): ForecastStep {
    const takes = sum([prepareMs, this.#keyCommit(), observeMs]);
    const preview = `~ pre-shared key ${shortCkn(this.#entry.new.key.ckn)} becomes primary`;
    return this.#step(
      "promoting",
      "make the next key the primary one",
      preview,
      takes,
      this.#shut(),
    );
  }

  #retire(): ForecastStep {
    const takes = sum([prepareMs, this.#keyCommit(), observeMs, turnMs]);
    const preview = `- pre-shared key ${shortCkn(this.#entry.old?.key.ckn ?? "none")}`;
    return this.#step("retiring", "take the old key away", preview, takes, this.#shut());
  }

  #freshSak(): ForecastStep {
    const takes = sum([prepareMs, this.#commit(), observeMs, turnMs]);
    const does = "make a fresh SAK that the old key never protected";
    return this.#step("proving", does, `! rekey the SAK of ${this.#link.port}`, takes);
  }

  #restore(why: "end" | "soak" | "wait"): ForecastStep {
    const { group, desired } = this.#input;
    const soak = why === "wait" ? noTime : exactly(desired.rotation.soakMs);
    const back = group.drain === "none" ? noTime : sum([prepareMs, this.#commit()]);
    const takes = sum([back, soak, observeMs, turnMs]);
    const { port } = this.#link;
    if (group.drain === "none") {
      return this.#step("restoring", "watch it carry for the soak time", `= ${port}`, takes);
    }
    const does =
      why === "soak" ? "bring the traffic back and let it soak" : "bring the traffic back";
    const details = this.#turn("port.restore");
    return this.#step("restoring", does, `- ${group.drain} on ${port}`, takes, details);
  }

  #farEnd(): string {
    return `${this.#input.group.name} ${this.#link.azureLink}`;
  }

  #capabilities(): Capabilities | undefined {
    return this.#input.capabilities(this.#link.device);
  }

  /** Returns the measures of the link, or else those of a link of the group that is like it. */
  #measured(what: "farEnd" | "ours", alike: (entry: CampaignLink) => boolean) {
    const { group, links, measures } = this.#input;
    const others = links.filter((entry) => entry.name !== this.#entry.name && alike(entry));
    const own = [this.#entry, ...others].map(({ name }) =>
      measuredAs(named(measures, `${what} ${group.name}/${name}`)),
    );
    return own.find((estimate) => estimate !== undefined);
  }

  #commit(): Estimate {
    const measured = measuredAs(named(this.#input.measures, `commit ${this.#link.device}`));
    return measured ?? commitDefaultMs;
  }

  /** A device with the quirk shuts the port by a commit of its own first. */
  #keyCommit(): Estimate {
    return this.#shutsFirst() ? sum([this.#commit(), prepareMs, this.#commit()]) : this.#commit();
  }

  #shut(): { readonly dark?: DarkTimes } {
    if (!this.#shutsFirst()) return {};
    return { dark: { theirs: noTime, ours: sum([prepareMs, this.#commit(), formMs]) } };
  }

  #farOperation(): Estimate {
    const { farEndMs } = this.#input.desired.rotation;
    return this.#measured("farEnd", () => true) ?? firstRun(farEndLowMs, farEndLikelyMs, farEndMs);
  }

  /**
   * The time until MKA is up under a key that waits on the router. Its measure begins when the API
   * reports the move.
   */
  #join(): Estimate {
    const { overlap } = this.#entry;
    const observed = this.#measured("ours", (entry) => entry.overlap === overlap);
    if (observed === undefined) return { ...joinMs, basis: "firstRun" };
    return {
      low: joinMs.low,
      likely: Math.max(observed.likely, joinMs.likely),
      high: Math.max(observed.high + farSentMs.high, joinMs.high),
      basis: "measured",
    };
  }

  /** The time from the moment at which the API reports that the far end has moved. */
  #afterMove(): Estimate {
    const { overlap } = this.#entry;
    const observed = this.#measured("ours", (entry) => entry.overlap === overlap);
    if (this.#input.kind === "rotate" && observed !== undefined) return observed;
    return { ...sum([turnMs, this.#keyCommit(), formMs]), basis: "firstRun" };
  }

  #break(): Estimate {
    return sum([farSentMs, this.#afterMove()]);
  }

  #breakAlone(): Estimate {
    return sum([this.#commit(), formMs]);
  }
}

type DarkTimes = Pick<DarkForecast, "theirs" | "ours">;

interface StepDetails {
  readonly where?: string;
  readonly risk?: RiskName;
  readonly dark?: DarkTimes;
  readonly change?: DeviceChange;
}

/** `NAME/VERSION` of a secret id. */
function versionOf(id: KeyRef["cakSecretId"]): string {
  return id.split("/").slice(-2).join("/");
}

function gapsText(old: WantedSettings | undefined, wanted: CampaignLink["new"]): string {
  const observed = old === undefined ? undefined : { ...old, policy: "mustSecure" as const };
  return settingsGaps(wanted.settings, observed)
    .map((gap) => `${gap.leaf} ${gap.observed} -> ${gap.wanted}`)
    .join(", ");
}
