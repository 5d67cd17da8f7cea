// Checks P1 to P7 against the truth after every event: both ends, the wire, and all reports.

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
  type LinkObservation,
  linkOf,
  type Moment,
  observedMs,
  type Promised,
  shownInService,
} from "./moment.ts";
import { type ProofBounds, watchRetirement } from "./proof.ts";
import { RecordJudge } from "./record.ts";
import {
  type ProtectedSpan,
  type ReportBounds,
  type ReportedStatus,
  ReportJudge,
} from "./report.ts";
import { type SiblingBounds, watchSiblings } from "./sibling.ts";
import { contradictions, type Surfaces } from "./surfaces.ts";
import { watchSwitch, watchTraffic } from "./switch.ts";
import { type Forbidden, writes } from "./writes.ts";

/** The parts of a site that the oracle needs; `Site` has them, and so does a table in a test. */
export interface Observed {
  readonly seed: string;
  readonly clock: { now(): Instant };
  readonly groups: readonly string[];
  groupTruth(name: string): GroupTruth;
  tunnelTruth(): readonly TunnelTruth[];
  /** Returns the `group/link` of a port; undefined if it is not a link of the site. */
  linkAt(device: string, port: PortName): string | undefined;
  /** Returns every key that must never appear in output, with a label that may be printed. */
  canaries(): readonly { readonly id: string; readonly bytes: Uint8Array }[];
}

export interface Violation {
  readonly seed: string;
  readonly promise: Promised;
  readonly at: Instant;
  readonly event: string;
  readonly text: string;
}

/**
 * Returns a report that begins with seed and promise: its first lines suffice to start an analysis.
 */
export function formatViolation(violation: Violation): string {
  const { seed, promise, at, event, text } = violation;
  const seconds = (at / 1000).toFixed(3);
  return `seed ${seed} promise ${promise}\nat ${seconds} s after: ${event}\n${text}`;
}

export interface OracleBounds extends SiblingBounds, ReportBounds, ProofBounds {
  /** The interval at which every group is examined, because counters move without events. */
  readonly sweepMs: number;
}

/**
 * The bounds for the defaults of the config: poll 5 s, settle 18 s, stale after 30 s, evidence 90
 * s, 20 frames (less one: a slow flow is counted in whole frames at each place).
 */
const bounds: OracleBounds = {
  observationFreshMs: 60_000,
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
/** The number of commits and devices for which the agent's knowledge is kept. */
const knownMax = 256;
/** MKPDUs come every two seconds, so counters without one for this long have stopped. */
const standstillMs = 5_000;

/** The counters of a port, with the time at which they first had this value. */
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

/** The checker of one site's promises. */
export class Oracle {
  readonly violations: Violation[] = [];
  /** Reports that stayed bad long after all was well: a nuisance, but not a broken promise. */
  readonly late: string[] = [];
  /** The number of the agent's effects so far. */
  agentWrites = 0;
  readonly #site: Observed;
  readonly #bounds: OracleBounds;
  readonly #groups: ReadonlyMap<string, Watched>;
  readonly #dirty = new Set<string>();
  readonly #observations = new Map<string, LinkObservation>();
  readonly #readings = new Map<string, Reading>();
  readonly #movesSince = new Map<string, Instant>();
  #forgotAt: Instant | undefined;
  readonly #asked = new Map<string, Instant>();
  readonly #known = new Map<string, Knowledge>();
  readonly #takenBack = new Map<string, Instant>();
  /** The links on which MKA is up and no frame passes now, with the time since when. */
  readonly #brokenSince = new Map<string, Instant>();
  readonly #parked = new Map<string, Instant>();
  /** The link under way by its group, and a link that an operator drains by itself. */
  #meant: ReadonlyMap<string, string> | undefined;
  readonly #tried = new Map<string, Map<Ckn, Instant>>();
  /** The last time at which another party, or a fault, touched a link. */
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

  /** Judges by these limits from now on: those of a config that its agent has accepted. */
  judgeBy(limits: Partial<OracleBounds>): void {
    Object.assign(this.#bounds, limits);
  }

  /**
   * Examines what changed; costs little while nothing happened. Returns the first violation that
   * this call found.
   */
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

  /** Reports that the truth about a group may have changed. */
  changed(group: string): void {
    this.#dirty.add(group);
  }

  /**
   * Reports an effect; one that concerns no link belongs to no group and counts as a write all the
   * same.
   */
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

  /** Reports that a fault struck a link: what follows on it is not the agent's doing. */
  disturbed(link: string): void {
    this.#othersAt.set(link, this.#site.clock.now());
    const group = this.#groups.get(groupOf(link));
    group?.disturbed.add(link);
    if (group !== undefined) this.#dirty.add(group.name);
  }

  /** Reports that the agent received this observation of a device. */
  observed(state: DeviceState): void {
    for (const port of state.macsec) {
      const link = this.#site.linkAt(state.device, port.port);
      const { session, keys, settings } = port;
      const isBlind = [session, keys, settings].some(({ kind }) => kind === "unknown");
      if (link === undefined || isBlind) continue;
      this.#judge.known(link, state.at);
      const shown = shownInService(port, state.routing);
      if (shown === undefined) continue;
      this.#follow(link, port, state.at);
      // A broken data plane shows in counters only, so an agent needs its evidence time; if they
      // show nothing for longer, the link is not known to carry.
      const since = this.#brokenSince.get(link);
      const isReported = since !== undefined && state.at - since > this.#bounds.dataMs;
      const before = this.#observations.get(link);
      const continues = before !== undefined && state.at - before.at <= observedMs;
      const observedSince = continues ? before.observedSince : state.at;
      this.#observations.set(link, {
        at: state.at,
        inService: shown && !isReported,
        observedSince,
      });
    }
  }

  /** Follows the counters: rates do not show traffic while the counters have stopped. */
  #follow(link: string, { mkpdus }: MacsecPort, at: Instant): void {
    const observed = strongValue(mkpdus);
    const sum = observed === undefined ? 0n : observed.sent + observed.received;
    const before = this.#readings.get(link);
    if (before?.mkpdus !== sum) this.#readings.set(link, { mkpdus: sum, at });
    else if (at - before.at > standstillMs) this.#movesSince.set(link, at);
  }

  /** Reports that the agent asked for this: a restore that a device refuses is not its fault. */
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
   * Checks a status of the agent, sent at `askedAt` or later: an answer may be long under way, and
   * an agent that has died since cannot correct it.
   */
  reported(status: ReportedStatus, askedAt?: Instant): void {
    const at = askedAt ?? this.#site.clock.now();
    this.#seeAll();
    const { findings, late } = this.#judge.judge(status, at);
    for (const finding of findings) this.#record(finding, at);
    for (const entry of late) {
      if (!this.late.includes(entry)) this.late.push(entry);
    }
  }

  /**
   * Checks what all surfaces of the agent say at this moment: each against the truth, and against
   * the others.
   */
  shown(surfaces: Surfaces): void {
    const at = this.#site.clock.now();
    this.#seeAll();
    for (const [surface, claims] of Object.entries(surfaces)) {
      for (const each of this.#judge.judgeClaims(surface, claims, at)) this.#record(each, at);
    }
    for (const finding of contradictions(surfaces)) this.#record(finding, at);
  }

  /** Checks the times for which a report of the agent says that something was protected. */
  reportedPast(spans: readonly ProtectedSpan[]): void {
    const at = this.#site.clock.now();
    this.#seeAll();
    for (const finding of this.#judge.judgePast(spans)) this.#record(finding, at);
  }

  /** Tunnels cause no events, and nothing must be compared with an older truth. */
  #seeAll(): void {
    const now = this.#site.clock.now();
    for (const name of this.#groups.keys()) {
      this.#judge.see(this.#site.groupTruth(name).links, now);
    }
    this.#judge.seeTunnels(this.#site.tunnelTruth(), now);
  }

  /** Checks output of the agent: a log line, a reply, a file, an argument. */
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

  /** Reports that this record of the agent is on the disk now. */
  recorded(text: string): void {
    this.#records.recorded(text);
  }

  /** Checks an effect that the agent asks for, which its journal must contain by this token. */
  acts(place: string, token: string): void {
    const at = this.#site.clock.now();
    for (const finding of this.#records.acts(place, token)) this.#record(finding, at);
  }

  /** Reports that the agent records that the campaign of this link waits, or that it continues. */
  waits(link: string, how: "parked" | "moving"): void {
    if (how === "moving") this.#parked.delete(link);
    else if (!this.#parked.has(link)) this.#parked.set(link, this.#site.clock.now());
  }

  /**
   * Reports that the agent records what may be drained now: for a campaign of a group, or for an
   * operator.
   */
  means(by: string, link: string | undefined): void {
    const meant = new Map(this.#meant);
    if (link === undefined) meant.delete(by);
    else meant.set(by, link);
    this.#meant = meant;
  }

  /** Checks the agent's record that this key is the only one of the link. */
  claims(link: string, ckn: Ckn): void {
    const at = this.#site.clock.now();
    const othersAt = this.#othersAt.get(link);
    // A recent change by another party was in no observation of the agent yet.
    if (othersAt !== undefined && at - othersAt <= this.#bounds.observationFreshMs) return;
    const truth = linkOf(this.#site.groupTruth(groupOf(link)), link);
    if (truth === undefined) return;
    for (const finding of this.#records.claims(truth, ckn)) this.#record(finding, at);
  }

  /**
   * Reports that the agent lost its records: it is no longer responsible for what it left behind.
   */
  forgets(): void {
    this.#forgotAt = this.#site.clock.now();
  }

  /** Makes every write of the agent a violation from now on; `why` completes "although ...". */
  expectNoWrites(why: string): void {
    this.#forbidden = { ...this.#forbidden, all: why };
  }

  /** Allows writes again. */
  expectWrites(): void {
    this.#forbidden = {};
  }

  /** Makes every write to a far end a violation from now on; `why` completes "although ...". */
  expectNoPuts(why: string): void {
    this.#forbidden = { ...this.#forbidden, puts: why };
  }

  /**
   * Reports that the agent sent a commit: a router may take its time, and a commit under way cannot
   * be recalled.
   */
  sent(device: string, token: string): void {
    const knowledge = { at: this.#site.clock.now(), observations: new Map(this.#observations) };
    // The newest entry is last; an old commit is carried out by now, or never.
    for (const name of [device, token]) {
      this.#known.delete(name);
      this.#known.set(name, knowledge);
    }
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= knownMax) break;
      this.#known.delete(oldest);
    }
  }

  /** Reports that the agent asked a router to revert a commit. */
  takesBack(token: string): void {
    this.#takenBack.set(token, this.#site.clock.now());
  }

  /** Makes a key change on a link with traffic a violation from now on. */
  expectDrained(): void {
    this.#drains = true;
  }

  /** Calls `listener` with every examined moment, for the event log. */
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
      watchTraffic(() => this.#drains, this.#bounds.observationFreshMs),
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
      observations: this.#observations,
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

/** Attaches an oracle to the site: from now on it checks after every event of the site's clock. */
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
