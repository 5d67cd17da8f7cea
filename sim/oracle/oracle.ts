// The promises P1 to P7 held against the truth after every event, from both ends, the wire and all
// that was said.

import type { DeviceChange } from "#hal/device.ts";
import {
  type Ckn,
  type DeviceState,
  type MacsecPort,
  type PortName,
  strongValue,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { EffectEvent, GroupTruth, LinkTruth, TunnelTruth } from "../base/truth.ts";
import type { Site } from "../site/site.ts";
import { CanarySearch } from "./canary.ts";
import { watchClearFrames } from "./clear.ts";
import { watchKeys } from "./keys.ts";
import {
  type Checker,
  type Finding,
  type Knowledge,
  type LinkLook,
  linkOf,
  type Moment,
  type Promised,
  seenMs,
  shownInService,
} from "./moment.ts";
import { type ProofBounds, watchRetirement } from "./proof.ts";
import { RecordJudge } from "./record.ts";
import { type ReportBounds, type ReportedStatus, ReportJudge } from "./report.ts";
import { type SiblingBounds, watchSiblings } from "./sibling.ts";
import { watchSwitch, watchTraffic } from "./switch.ts";
import { type Forbidden, writes } from "./writes.ts";

/** What the oracle needs of a site; `Site` is one, and so is a table in a test. */
export interface Observed {
  readonly seed: string;
  readonly clock: { now(): Instant };
  readonly groups: readonly string[];
  groupTruth(name: string): GroupTruth;
  tunnelTruth(): readonly TunnelTruth[];
  /** `group/link` of a port; undefined = no link of ours. */
  linkAt(device: string, port: PortName): string | undefined;
  /** Every key that must never be seen, with a label that may be printed. */
  canaries(): readonly { readonly id: string; readonly bytes: Uint8Array }[];
}

export interface Violation {
  readonly seed: string;
  readonly promise: Promised;
  readonly at: Instant;
  readonly event: string;
  readonly text: string;
}

/** Seed and promise first: the first lines of a failed run are enough to start. */
export function formatViolation(violation: Violation): string {
  const { seed, promise, at, event, text } = violation;
  const seconds = (at / 1000).toFixed(3);
  return `seed ${seed} promise ${promise}\nat ${seconds} s after: ${event}\n${text}`;
}

export interface OracleBounds extends SiblingBounds, ReportBounds, ProofBounds {
  /** Counters move without events, so every group is looked at this often. */
  readonly sweepMs: number;
}

/**
 * For the defaults of the config: poll 5 s, settle 18 s, stale after 30 s, evidence 90 s, 20 frames
 * (less one: a slow flow is counted in whole frames at each place).
 */
const bounds: OracleBounds = {
  lookFreshMs: 60_000,
  strandedMs: 120_000,
  parkedMs: 7_200_000,
  controlMs: 40_000,
  dataMs: 100_000,
  staleMs: 40_000,
  eventualMs: 600_000,
  proofFrames: 19,
  // The shortest settle time of any run, less one MKA hello by which the far end may be later.
  settleMs: 4_000,
  sweepMs: 1_000,
};

/** Enough to see what went wrong; a broken run must not fill the memory. */
const violationsMax = 100;
/** Commits, and devices, of which it is kept what the agent knew. */
const knownMax = 256;
/** MKPDUs come every two seconds: counters that show none for so long stand still. */
const standstillMs = 5_000;

/** The counters of a port when they were first seen so. */
interface Reading {
  readonly mkpdus: bigint;
  readonly at: Instant;
}

interface Watched {
  readonly name: string;
  readonly checkers: readonly Checker[];
  before: GroupTruth | undefined;
  effects: EffectEvent[];
  disturbed: Set<string>;
}

export class Oracle {
  readonly violations: Violation[] = [];
  /** Reports that stayed bad long after all was well: a nuisance, no broken promise. */
  readonly late: string[] = [];
  /** Effects of the agent so far. */
  agentWrites = 0;
  readonly #site: Observed;
  readonly #bounds: OracleBounds;
  readonly #groups: ReadonlyMap<string, Watched>;
  readonly #dirty = new Set<string>();
  readonly #looks = new Map<string, LinkLook>();
  readonly #readings = new Map<string, Reading>();
  readonly #movesSince = new Map<string, Instant>();
  #forgotAt: Instant | undefined;
  readonly #asked = new Map<string, Instant>();
  readonly #known = new Map<string, Knowledge>();
  readonly #takenBack = new Map<string, Instant>();
  /** Links on which MKA is content and no frame passes now. */
  readonly #brokenSince = new Map<string, Instant>();
  readonly #parked = new Map<string, Instant>();
  /** By group: the link under way; by itself: a link that an operator drains. */
  #meant: ReadonlyMap<string, string> | undefined;
  readonly #tried = new Map<string, Map<Ckn, Instant>>();
  /** When somebody else, or a fault, last touched a link. */
  readonly #othersAt = new Map<string, Instant>();
  readonly #records = new RecordJudge();
  readonly #judge: ReportJudge;
  readonly #search = new CanarySearch();
  readonly #listeners: ((moment: Moment) => void)[] = [];
  readonly #leaks = new Set<string>();
  #canaries = 0;
  #canariesAt: Instant | undefined;
  #sweptAt: Instant | undefined;
  #forbidden: Forbidden = {};
  #drains = false;

  constructor(site: Observed, options: Partial<OracleBounds> = {}) {
    this.#site = site;
    this.#bounds = { ...bounds, ...options };
    this.#judge = new ReportJudge(this.#bounds);
    this.#groups = new Map(
      site.groups.map((name): [string, Watched] => {
        const effects: EffectEvent[] = [];
        const disturbed = new Set<string>();
        return [name, { name, checkers: this.#checkers(), before: undefined, effects, disturbed }];
      }),
    );
  }

  /** Cheap while nothing happened. Returns the first violation that this call found. */
  check(): Violation | undefined {
    const now = this.#site.clock.now();
    const sweep = this.#sweptAt === undefined || now - this.#sweptAt >= this.#bounds.sweepMs;
    if (!sweep && this.#dirty.size === 0) return undefined;
    const known = this.violations.length;
    if (sweep) {
      this.#sweptAt = now;
      this.#judge.seeTunnels(this.#site.tunnelTruth(), now);
    }
    for (const group of this.#groups.values()) {
      if (sweep || this.#dirty.has(group.name)) this.#examine(group, now);
    }
    this.#dirty.clear();
    return this.violations[known];
  }

  /** The truth about a group may have changed. */
  changed(group: string): void {
    this.#dirty.add(group);
  }

  /** An effect without a link of ours concerns no group and counts as a write all the same. */
  effect(effect: EffectEvent): void {
    if (effect.by === "agent") this.agentWrites += 1;
    else if (effect.link !== undefined) this.#othersAt.set(effect.link, effect.at);
    const group = this.#groups.get(groupOf(effect.link));
    if (group === undefined) {
      if (effect.by === "agent") this.#refuseWrite(effect);
      return;
    }
    group.effects.push(effect);
    this.#dirty.add(group.name);
  }

  /** The world struck a link, so what follows on it is not the agent's doing. */
  disturbed(link: string): void {
    this.#othersAt.set(link, this.#site.clock.now());
    const group = this.#groups.get(groupOf(link));
    group?.disturbed.add(link);
    if (group !== undefined) this.#dirty.add(group.name);
  }

  /** The agent got this look at a device. */
  looked(state: DeviceState): void {
    for (const port of state.macsec) {
      const link = this.#site.linkAt(state.device, port.port);
      const { session, keys, settings } = port;
      const isBlind = [session, keys, settings].some(({ kind }) => kind === "unknown");
      if (link === undefined || isBlind) continue;
      this.#judge.known(link, state.at);
      const shown = shownInService(port, state.routing);
      if (shown === undefined) continue;
      this.#follow(link, port, state.at);
      // A broken data plane shows in counters only, so an agent needs its evidence time; where they
      // show nothing for longer, it is not known to carry.
      const since = this.#brokenSince.get(link);
      const told = since !== undefined && state.at - since > this.#bounds.dataMs;
      const before = this.#looks.get(link);
      const continues = before !== undefined && state.at - before.at <= seenMs;
      const seenSince = continues ? before.seenSince : state.at;
      this.#looks.set(link, { at: state.at, inService: shown && !told, seenSince });
    }
  }

  /** Rates that stand still show no traffic. */
  #follow(link: string, { mkpdus }: MacsecPort, at: Instant): void {
    const seen = strongValue(mkpdus);
    const sum = seen === undefined ? 0n : seen.sent + seen.received;
    const before = this.#readings.get(link);
    if (before?.mkpdus !== sum) this.#readings.set(link, { mkpdus: sum, at });
    else if (at - before.at > standstillMs) this.#movesSince.set(link, at);
  }

  /** The agent asked for this: it cannot be blamed for a restore that a device refuses. */
  asked(device: string, change: DeviceChange): void {
    const at = this.#site.clock.now();
    for (const part of change) {
      const link = "port" in part ? this.#site.linkAt(device, part.port) : undefined;
      if (link === undefined) continue;
      if ("key" in part) this.#tried.set(link, this.#triedOn(link).set(part.key.ckn, at));
      if (part.kind !== "port.restore" && part.kind !== "port.open") continue;
      this.#asked.set(link, at);
    }
  }

  /**
   * The agent said this, at `askedAt` or later: an answer that is long under way was given when it
   * was asked for, and an agent that has died since cannot take it back.
   */
  reported(status: ReportedStatus, askedAt?: Instant): void {
    const now = this.#site.clock.now();
    // No event tells of tunnels, and a report must not be held against an older truth.
    for (const name of this.#groups.keys()) {
      this.#judge.see(this.#site.groupTruth(name).links, now);
    }
    this.#judge.seeTunnels(this.#site.tunnelTruth(), now);
    const at = askedAt ?? now;
    const { findings, late } = this.#judge.judge(status, at);
    for (const finding of findings) this.#record(finding, at);
    for (const entry of late) {
      if (!this.late.includes(entry)) this.late.push(entry);
    }
  }

  /** Something left the agent: a log line, a reply, a file, an argument. */
  emitted(where: string, what: Uint8Array | string): void {
    const at = this.#site.clock.now();
    this.#learnCanaries(at);
    const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
    const sighting = this.#search.search(where, bytes);
    if (sighting === undefined) return;
    const text = `${sighting.label} was emitted as ${sighting.form}`;
    if (this.#leaks.has(`${where} ${text}`)) return;
    this.#leaks.add(`${where} ${text}`);
    this.#record({ promise: "P5", event: `output to ${where}`, text }, at);
  }

  /** This record of the agent is on the disk now. */
  recorded(text: string): void {
    this.#records.recorded(text);
  }

  /** The agent asks for an effect that its journal must know by this token. */
  acts(place: string, token: string): void {
    const at = this.#site.clock.now();
    for (const finding of this.#records.acts(place, token)) this.#record(finding, at);
  }

  /** The agent records that the campaign of this link waits, or that it goes on. */
  waits(link: string, how: "parked" | "moving"): void {
    if (how === "moving") this.#parked.delete(link);
    else if (!this.#parked.has(link)) this.#parked.set(link, this.#site.clock.now());
  }

  /** The agent records what may be drained now: for a campaign of a group, or for an operator. */
  means(by: string, link: string | undefined): void {
    const meant = new Map(this.#meant);
    if (link === undefined) meant.delete(by);
    else meant.set(by, link);
    this.#meant = meant;
  }

  /** The agent records that this key alone is the one of the link. */
  claims(link: string, ckn: Ckn): void {
    const at = this.#site.clock.now();
    const othersAt = this.#othersAt.get(link);
    // What others have changed a moment ago no look of the agent has shown yet.
    if (othersAt !== undefined && at - othersAt <= this.#bounds.lookFreshMs) return;
    const truth = linkOf(this.#site.groupTruth(groupOf(link)), link);
    if (truth === undefined) return;
    for (const finding of this.#records.claims(truth, ckn)) this.#record(finding, at);
  }

  /** The agent lost its record of what it did: what it left behind is nobody's by now. */
  forgets(): void {
    this.#forgotAt = this.#site.clock.now();
  }

  /** From now on every write of the agent is a violation; `why` completes "although ...". */
  expectNoWrites(why: string): void {
    this.#forbidden = { ...this.#forbidden, all: why };
  }

  expectWrites(): void {
    this.#forbidden = {};
  }

  /** Likewise every write to a far end. */
  expectNoPuts(why: string): void {
    this.#forbidden = { ...this.#forbidden, puts: why };
  }

  /** A router takes its time, and nobody takes a commit back that is under way. */
  told(device: string, token: string): void {
    const knowledge = { at: this.#site.clock.now(), looks: new Map(this.#looks) };
    // The newest last; what was told long ago is carried out by now, or never.
    for (const name of [device, token]) {
      this.#known.delete(name);
      this.#known.set(name, knowledge);
    }
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= knownMax) break;
      this.#known.delete(oldest);
    }
  }

  takesBack(token: string): void {
    this.#takenBack.set(token, this.#site.clock.now());
  }

  /** From now on no key is changed on a link with traffic. */
  expectDrained(): void {
    this.#drains = true;
  }

  /** Every examined moment, for the event log. */
  onMoment(listener: (moment: Moment) => void): void {
    this.#listeners.push(listener);
  }

  #checkers(): readonly Checker[] {
    return [
      watchClearFrames(),
      watchSiblings(this.#bounds),
      watchRetirement(this.#bounds),
      ({ effects }) => writes(this.#forbidden, effects),
      watchKeys(),
      watchSwitch(),
      watchTraffic(() => this.#drains, this.#bounds.lookFreshMs),
    ];
  }

  #examine(group: Watched, at: Instant): void {
    const now = this.#site.groupTruth(group.name);
    const { before, effects, disturbed } = group;
    const moment: Moment = {
      at,
      before,
      now,
      effects,
      disturbed,
      looks: this.#looks,
      known: this.#known,
      takenBack: this.#takenBack,
      movesSince: this.#movesSince,
      asked: this.#asked,
      parked: this.#parked,
      tried: this.#tried,
      meant: this.#meant && new Set(this.#meant.values()),
      forgotAt: this.#forgotAt,
    };
    group.before = now;
    if (effects.length > 0) group.effects = [];
    if (disturbed.size > 0) group.disturbed = new Set();
    for (const link of now.links) this.#see(link, at);
    this.#judge.see(now.links, at);
    for (const checker of group.checkers) {
      for (const finding of checker(moment)) this.#record(finding, at);
    }
    for (const listener of this.#listeners) listener(moment);
  }

  #triedOn(link: string): Map<Ckn, Instant> {
    return this.#tried.get(link) ?? new Map();
  }

  #see(link: LinkTruth, at: Instant): void {
    if (link.carries || !link.secured) this.#brokenSince.delete(link.id);
    else if (!this.#brokenSince.has(link.id)) this.#brokenSince.set(link.id, at);
  }

  #refuseWrite(effect: EffectEvent): void {
    const at = this.#site.clock.now();
    const findings = writes(this.#forbidden, [effect]);
    for (const finding of findings) this.#record(finding, at);
  }

  #learnCanaries(at: Instant): void {
    if (this.#canariesAt === at) return;
    this.#canariesAt = at;
    const all = this.#site.canaries();
    for (const { id, bytes } of all.slice(this.#canaries)) this.#search.add({ label: id, bytes });
    this.#canaries = all.length;
  }

  #record(finding: Finding, at: Instant): void {
    if (this.violations.length >= violationsMax) return;
    this.violations.push({ seed: this.#site.seed, at, ...finding });
  }
}

/** Puts an oracle beside the site: from now on it judges after every event of the site's clock. */
export function watchSite(site: Site, options: Partial<OracleBounds> = {}): Oracle {
  const oracle = new Oracle(site, options);
  site.attach(oracle);
  site.clock.afterEvent = () => {
    oracle.check();
  };
  oracle.check();
  return oracle;
}

function groupOf(link: string | undefined): string {
  return link?.slice(0, link.indexOf("/")) ?? "";
}
