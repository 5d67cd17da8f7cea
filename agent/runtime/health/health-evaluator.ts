// The health evaluator: turns observations into verdicts, warnings and events, once per turn; a
// snapshot is taken anew.

import { type Ckn, type MacsecPort, strongValue } from "#hal/model.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { RecordAge } from "../../compare/record-age.ts";
import { withCompromised } from "../../health/compromised.ts";
import { withLostTraffic } from "../../health/dark-link.ts";
import { deriveLinkHealth, raisedBy } from "../../health/health.ts";
import { isSameServer, type LaterSakWatch, watchOf, withWatch } from "../../health/sak-watch.ts";
import { silentDevices } from "../../health/silent-devices.ts";
import { deriveTunnelHealth } from "../../health/tunnel.ts";
import {
  advance,
  noWarnings,
  type Raised,
  type Tracker,
  type VisibleWarning,
  type WarningEvent,
} from "../../health/warnings.ts";
import {
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  type HealthSettings,
  linkId,
  namesIn,
} from "../../model/desired.ts";
import type { EventRest, EventRing } from "../../model/events.ts";
import type {
  DeviceContact,
  LinkHealth,
  TunnelEvidence,
  TunnelHealth,
  Verdict,
} from "../../model/health.ts";
import { bgpOf, drainOf } from "../../model/link-snapshot.ts";
import type { SiblingCause } from "../../model/reason.ts";
import { severityOf } from "../../model/severity.ts";
import type { Alarm } from "../../rotation/sibling.ts";
import { named, openCampaign } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import { BackupWatch } from "./backup-report.ts";
import { linkCauses } from "./causes.ts";
import { raisedIn, type Scene } from "./finder.ts";
import { finders } from "./finders.ts";
import type { LinkSubject } from "./link-rows.ts";
import { type Observed, observedLink, observedTunnel } from "./observed.ts";
import { blindSnapshot, type SiteSnapshot, siteSnapshot } from "./site-snapshot.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";
import { notConfigured } from "./status.ts";
import { tunnelEvidence } from "./tunnel-evidence.ts";
import { type JudgedVerdict, judge } from "./verdict-events.ts";

/** The parts from which the health evaluator is built. */
export interface HealthEvaluatorParts {
  /** Clock and log. */
  readonly world: World;
  /** Receives verdicts and warnings as events. */
  readonly events: EventRing;
  /** The agent whose observations are evaluated. */
  readonly agent: EvaluatedAgent;
  /** Receives all verdicts of one moment, for the audit log. */
  readonly judged: (observed: readonly Observed[], settings: HealthSettings) => void;
}

/** The health evaluator of a site. */
export class HealthEvaluator {
  readonly #parts: HealthEvaluatorParts;
  #tracker: Tracker = noWarnings;
  #visible: readonly VisibleWarning[] = [];
  readonly #backups = new BackupWatch();
  #verdicts = new Map<string, JudgedVerdict>();
  /** When all verdicts were last derived. */
  #judgedAt: Instant | undefined;
  readonly #recordAge = new RecordAge();
  readonly #saks = new Map<string, FollowedSak>();
  /** Changes of each link's SecY by other programs, as they were counted last. */
  readonly #secyChanges = new Map<string, bigint>();
  /** When BGP last led traffic over a link. */
  readonly #offeredAt = new Map<string, Instant>();
  /** When a link was last known to carry traffic. */
  readonly #knownAt = new Map<string, Instant>();
  readonly #startedAt: Instant;
  #nextTurnAt: Instant;

  constructor(parts: HealthEvaluatorParts) {
    this.#parts = parts;
    this.#startedAt = parts.world.clock.now();
    this.#nextTurnAt = this.#startedAt;
  }

  /** Evaluates everything, at most once per poll interval however many loops call it. */
  turn(): void {
    const { world, agent } = this.#parts;
    const { supervisor } = agent;
    const now = world.clock.now();
    if (supervisor === undefined || now < this.#nextTurnAt) return;
    this.#nextTurnAt = instantAfter(now, supervisor.intent.desired.health.pollMs);
    this.#advance(supervisor, now);
  }

  /**
   * Why the last verdict advises against relying on a link; undefined = no reason. P2: a link that
   * is not known to carry is not relied on, even if MKA calls it secured. Once that lasts longer
   * than a reading stays fresh, the link counts as lost. A verdict ages as a reading does.
   */
  alarm(link: DesiredLink): Alarm | undefined {
    const id = linkId(link);
    const judged = this.#verdicts.get(id);
    if (judged === undefined) return this.#unknown(id, { code: "health.notJudged" });
    const sinceMs = this.#parts.world.clock.now() - (this.#judgedAt ?? this.#startedAt);
    if (sinceMs > this.#staleAfterMs) {
      return this.#unknown(id, { code: "health.old", seconds: Math.round(sinceMs / 1000) });
    }
    const { verdict, reason } = judged;
    if (isKnown(verdict)) {
      if (judged.delivery === "undoubted") return undefined;
      const doubt = { code: "health.verdict", verdict, reason: "arrival-not-proven" } as const;
      return { standing: "unsure", cause: doubt };
    }
    const cause = { code: "health.verdict", verdict, reason } as const;
    return verdict === "unknown" ? this.#unknown(id, cause) : { standing: "lost", cause };
  }

  /** A freshly started agent has had no time to observe, so the link is not lost yet. */
  #unknown(id: string, cause: SiblingCause): Alarm {
    const knownAt = this.#knownAt.get(id) ?? this.#startedAt;
    const isPast = this.#parts.world.clock.now() - knownAt > this.#staleAfterMs;
    return { standing: isPast ? "lost" : "unsure", cause };
  }

  get #staleAfterMs(): number {
    return this.#parts.agent.supervisor?.intent.desired.health.staleAfterMs ?? 0;
  }

  #advance(supervisor: SiteView, now: Instant): void {
    const { desired } = supervisor.intent;
    this.#judgedAt = now;
    for (const link of desired.groups.flatMap((group) => group.links))
      this.#follow(supervisor, link, now);
    const links = this.#links(supervisor, now);
    const scene = this.#scene(supervisor, now, links);
    const observed: Observed[] = [];
    const site = { about: "site", within: [] };
    const raised: Raised[] = [
      ...raisedIn(finders.host, scene, site),
      ...desired.devices.flatMap(({ name: about }) =>
        raisedIn(finders.device, scene, { about, within: [] }),
      ),
      ...raisedIn(finders.site, scene, site),
    ];
    for (const group of desired.groups) {
      raised.push(...raisedIn(finders.group, scene, { about: group.name, within: [], group }));
      for (const link of group.links) {
        const health = healthOf(links, link);
        const subject = subjectOf(link, group);
        const { about, within } = subject;
        if (isKnown(health.verdict)) this.#knownAt.set(about, now);
        this.#note(about, health);
        const newest = supervisor.deviceCache.history(link).at(-1);
        this.#noteSecy(about, newest);
        observed.push(observedLink(link, health, newest, { now, settings: desired.health }));
        raised.push(...raisedBy(health, about, within));
        raised.push(...raisedIn(finders.link, scene, subject));
      }
    }
    for (const tunnel of desired.tunnels) {
      const evidence = this.#evidence(supervisor, tunnel, links, now);
      const health = deriveTunnelHealth(evidence);
      const { name: about, device } = tunnel;
      const subject = { about, within: [device], device, port: about, tunnel };
      this.#note(about, health);
      const ridden = this.#backups.turn(evidence, scene.wall);
      raised.push(...raisedIn(finders.backup, scene, { ...subject, ridden }));
      observed.push(observedTunnel(evidence, health));
      raised.push(...raisedBy(health, about, [device]));
      raised.push(...raisedIn(finders.tunnel, scene, subject));
    }
    raised.push(...silentDevices(raised, (device) => this.#contact(supervisor, device), now));
    this.#parts.judged(observed, desired.health);
    const advanced = advance(this.#tracker, raised, now, namesIn(desired));
    this.#tracker = advanced.tracker;
    this.#visible = advanced.visible;
    for (const change of advanced.events) this.#reportChange(change);
  }

  #scene(site: SiteView, now: Instant, links: LinkHealths): Scene {
    const { agent, world } = this.#parts;
    const { clock } = world;
    const health = (link: DesiredLink): LinkHealth => healthOf(links, link);
    return { agent, site, clock, now, wall: clock.wall(), startedAt: this.#startedAt, health };
  }

  #reportChange({ kind, code, about, text }: WarningEvent): void {
    const severity = severityOf(code);
    if (kind === "opened") this.#report(code, about, text, { severity });
    else {
      const ended = { over: true, resolves: code, ends: severity } as const;
      this.#report(code, about, `resolved: ${text}`, { severity: "info", ...ended });
    }
  }

  #report(code: string, about: string, text: string, rest: EventRest): void {
    const { events, world } = this.#parts;
    events.add(world.clock.wall(), code, about, text, rest);
  }

  #note(about: string, health: LinkHealth | TunnelHealth): void {
    const { now, event } = judge(this.#verdicts.get(about), health);
    this.#verdicts.set(about, now);
    if (event !== undefined) this.#report("verdict", about, event.text, event.rest);
  }

  /** Those before the first reading may be long past, and are in the participant's journal. */
  #noteSecy(about: string, port: MacsecPort | undefined): void {
    if (port === undefined || port.session.kind === "unknown") return;
    const changes = strongValue(port.secyChanges);
    const count = changes?.count ?? 0n;
    const before = this.#secyChanges.get(about);
    this.#secyChanges.set(about, count);
    if (changes === undefined || before === undefined || count <= before) return;
    const more = count - before - 1n;
    const others = more === 0n ? "" : ` (and ${more} more)`;
    this.#report("secy-changed", about, `${changes.last}${others}`, { severity: "warning" });
  }

  /** A SAK may be older than the first observation that shows it; its age counts from there. */
  #follow({ deviceCache }: SiteView, link: DesiredLink, now: Instant): void {
    const state = deviceCache.state(link.device);
    const isDrained = state !== undefined && drainOf(state, link.port) === "on";
    if (!isDrained && bgpOf(state, link.port) === "up") this.#offeredAt.set(linkId(link), now);
    const session = deviceCache.history(link).at(-1)?.session;
    const value = session === undefined ? undefined : strongValue(session);
    const keyId = value?.latestSak?.keyId;
    if (session === undefined || value === undefined || keyId === undefined) return;
    const before = this.#saks.get(linkId(link));
    if (before?.keyId === keyId) return;
    const first = before !== undefined && isSameServer(before.keyId, keyId) ? before.first : keyId;
    const { principalCkn: ckn } = value;
    this.#saks.set(linkId(link), { keyId, since: session.at, first, ckn });
  }

  /** The watch of later SAKs; undefined = there is none. */
  #watch(link: DesiredLink, { verdict }: LinkHealth): LaterSakWatch | undefined {
    const binding = this.#parts.agent.memory.bindings[linkId(link)];
    const sak = this.#saks.get(linkId(link));
    if (binding?.firstSak === undefined || sak?.ckn !== binding.key.ckn) return undefined;
    // A session that formed again counts from the first SAK of it that was observed.
    const first = isSameServer(binding.firstSak, sak.keyId) ? binding.firstSak : sak.first;
    return watchOf(first, sak.keyId, verdict);
  }

  #watched(link: DesiredLink, health: LinkHealth): LinkHealth {
    const since = this.#parts.agent.memory.bindings[linkId(link)]?.since;
    const watch = this.#watch(link, health);
    if (since === undefined || watch === undefined) return health;
    return withWatch(health, watch, linkId(link), since);
  }

  #contact(supervisor: SiteView, device: string): DeviceContact {
    return {
      lastObservedAt: supervisor.deviceCache.state(device)?.at,
      failing: supervisor.deviceCache.failure(device),
      isAgentOverloaded: this.#parts.agent.loopLag.isOverload,
    };
  }

  /** Each link's health is derived once: tunnels need it too. */
  #links(supervisor: SiteView, now: Instant): LinkHealths {
    const { memory } = this.#parts.agent;
    return new Map(
      supervisor.intent.desired.groups.flatMap((group) => {
        const judged = group.links.map((link) => {
          const state = supervisor.deviceCache.state(link.device);
          const drain = state === undefined ? "off" : drainOf(state, link.port);
          const health = this.#link(supervisor, group, link, now);
          return { link, health, bgp: bgpOf(state, link.port), drain } as const;
        });
        const isBusy = openCampaign(memory, group.name) !== undefined;
        const drains = isBusy || group.drain === "none" ? "impossible" : "possible";
        return [...withLostTraffic(judged, drains)];
      }),
    );
  }

  #link(supervisor: SiteView, group: DesiredGroup, link: DesiredLink, now: Instant): LinkHealth {
    const { memory } = this.#parts.agent;
    const campaign = openCampaign(memory, group.name);
    const entry = campaign?.links.find((each) => each.name === link.name);
    const health = deriveLinkHealth({
      link,
      expected: memory.bindings[linkId(link)]?.key,
      next: entry?.new.key,
      settings: supervisor.intent.desired.health,
      now,
      observations: supervisor.deviceCache.history(link),
      device: this.#contact(supervisor, link.device),
      probe: supervisor.deviceCache.snapshot(link).probe,
      trips: supervisor.deviceCache.roundTrips.of(linkId(link)),
      silence: supervisor.deviceCache.roundTrips.silence(group.links.map(linkId)),
      peer: supervisor.deviceCache.peer(link),
      farEndAt: supervisor.deviceCache.farEndAt(link),
      bgp: bgpOf(supervisor.deviceCache.state(link.device), link.port),
      sakSince: this.#saks.get(linkId(link))?.since,
      saksAsked: supervisor.deviceCache.askedSaks.of(link),
      older: this.#older(supervisor, link),
      causes: linkCauses(supervisor, link),
    });
    // A campaign changes the key of its link itself.
    const isAtRest = entry === undefined || entry.outcome !== undefined;
    const watched = isAtRest ? this.#watched(link, health) : health;
    if (Object.keys(memory.compromised).length === 0) return watched;
    const { places, unrecorded } = supervisor.compromisedKeys;
    return withCompromised(watched, link, memory.compromised, places, unrecorded);
  }

  /** A campaign moves both ends itself, and the journal knows the pairs of the last one. */
  #older(supervisor: SiteView, link: DesiredLink): string | undefined {
    const { memory, journal } = this.#parts.agent;
    const key = memory.bindings[linkId(link)]?.key;
    if (key === undefined || openCampaign(memory, link.group) !== undefined) return undefined;
    const snapshot = supervisor.deviceCache.snapshot(link);
    const far = snapshot.peer?.pointsAt?.cakSecretId;
    const last = named(memory.campaigns, link.group)?.links ?? [];
    const pairs = last.flatMap((one) => [one.new.key, one.old?.key]);
    if (pairs.some((pair) => pair?.cakSecretId === far)) return undefined;
    return this.#recordAge.older(snapshot, key, journal.missing);
  }

  #tunnelNow(evidence: TunnelEvidence) {
    const backup = this.#backups.status(evidence);
    const health = deriveTunnelHealth(evidence);
    return { health, ...(backup === undefined ? {} : { backup }) };
  }

  #evidence(supervisor: SiteView, tunnel: DesiredTunnel, links: LinkHealths, now: Instant) {
    return tunnelEvidence(supervisor, tunnel, {
      now,
      health: (link) => healthOf(links, link),
      offered: (link) => this.#offeredAt.get(linkId(link)),
      contact: this.#contact(supervisor, tunnel.device),
      waiver: this.#waiver(supervisor),
    });
  }

  #waiver({ intent }: SiteView): "stands" | "over" {
    const now = this.#parts.world.clock.wall();
    return riskAccepted(intent.desired, "weakTunnel", now) ? "stands" : "over";
  }

  /** Evaluates the newest observations; warnings are those of the last turn. */
  snapshot(): SiteSnapshot {
    const { world, agent } = this.#parts;
    const { clock } = world;
    const { supervisor, intentDamage: damage } = agent;
    const moment = { now: clock.now(), wall: clock.wall() };
    if (damage !== undefined) {
      const { message: text, next } = damage;
      return blindSnapshot(moment, { code: "journal-lossy", text, next });
    }
    if (supervisor === undefined) return blindSnapshot(moment, notConfigured);
    const links = this.#links(supervisor, moment.now);
    const evaluation = {
      ...{ agent, supervisor, warnings: this.#visible },
      health: (link: DesiredLink) => healthOf(links, link),
      laterSaks: (link: DesiredLink) => this.#watch(link, healthOf(links, link)),
      tunnel: (tunnel: DesiredTunnel) =>
        this.#tunnelNow(this.#evidence(supervisor, tunnel, links, moment.now)),
    };
    return siteSnapshot(evaluation, clock);
  }
}

function subjectOf(link: DesiredLink, group: DesiredGroup): LinkSubject {
  const { device, port } = link;
  return { about: linkId(link), within: [device, group.name], device, port, link, group };
}

/** Returns true if a link with this verdict is known to carry traffic. */
function isKnown(verdict: Verdict): boolean {
  return verdict === "protected" || verdict === "degraded";
}

/** The newest SAK of a link. */
interface FollowedSak {
  readonly keyId: string;
  /** When it was first observed. */
  readonly since: Instant;
  /** The first SAK of its session that this process observed. */
  readonly first: string;
  /** CKN of the key that protected it. */
  readonly ckn: Ckn | undefined;
}

/** A link, or the interface of a tunnel. */
type LinkHealths = ReadonlyMap<string, LinkHealth>;

function healthOf(links: LinkHealths, link: DesiredLink): LinkHealth {
  const health = links.get(linkId(link));
  if (health === undefined) throw new Error(`no link ${linkId(link)} in the accepted intent`);
  return health;
}
