// The health evaluator: turns observations into verdicts, warnings and events, once per turn; a
// snapshot is taken anew.

import { type Ckn, strongValue } from "#hal/model.ts";
import { type Instant, instantAfter, type WallTime, type World, wallAfter } from "#hal/world.ts";
import { endsOf, vaultBaseOf } from "../../compare/ends.ts";
import { standingOf } from "../../compare/plan.ts";
import { driftFindings, sidesOf } from "../../compare/rules.ts";
import { withCompromised } from "../../health/compromised.ts";
import { withLostTraffic } from "../../health/dark-link.ts";
import { deriveLinkHealth, raisedBy } from "../../health/health.ts";
import { overdueWarnings } from "../../health/overdue.ts";
import { isSameServer, type LaterSakWatch, watchOf, withWatch } from "../../health/sak-watch.ts";
import { silentDevices } from "../../health/silent-devices.ts";
import { deriveTunnelHealth } from "../../health/tunnel.ts";
import {
  advance,
  noWarnings,
  type Raised,
  raise,
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
  type RotationSettings,
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
import { reasonText } from "../../model/reason-text.ts";
import { severityOf } from "../../model/severity.ts";
import type { Alarm } from "../../rotation/sibling.ts";
import { openCampaign } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import { BackupWatch } from "./backup-report.ts";
import { balanceWarnings, sessionWarnings } from "./bgp-report.ts";
import { linkCauses, linkCommitLost, tunnelCommitLost, vaultWarnings } from "./causes.ts";
import { deviceWarnings } from "./device-warnings.ts";
import { drainWarnings } from "./drain-warnings.ts";
import {
  authWarnings,
  boundWarnings,
  endWarnings,
  keyAgeWarnings,
  riskWarnings,
} from "./expiry-warnings.ts";
import {
  farEndLostUpdate,
  farEndRefused,
  farEndUnread,
  rightsUnknown,
  waitsForCheck,
} from "./far-end-report.ts";
import { leftBlockWarnings } from "./left-blocks.ts";
import { type Observed, observedLink, observedTunnel } from "./observed.ts";
import { blindSnapshot, type SiteSnapshot, siteSnapshot } from "./site-snapshot.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";
import { notConfigured } from "./status.ts";
import { tunnelEvidence } from "./tunnel-evidence.ts";
import { unfinishedRotation } from "./unfinished-rotation.ts";
import { siteWarnings, unwritableWarnings } from "./unwritable.ts";
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
  readonly #saks = new Map<string, FollowedSak>();
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
    const { agent, world } = this.#parts;
    const wall = world.clock.wall();
    const observed: Observed[] = [];
    const raised: Raised[] = [
      ...siteWarnings(agent),
      ...unwritableWarnings({ agent, supervisor, health: (link) => healthOf(links, link) }),
      ...deviceWarnings(supervisor, world.clock),
      ...leftBlockWarnings(supervisor, agent, now),
      ...endWarnings(supervisor.ends, wall),
      ...riskWarnings(desired, wall),
      ...boundWarnings(desired),
    ];
    for (const group of desired.groups) {
      raised.push(...this.#groupWarnings(group), ...vaultWarnings(supervisor, group));
      raised.push(...farEndRefused(supervisor, this.#parts.agent.memory, group));
      raised.push(...rightsUnknown(supervisor, { kind: "campaign", group: group.name }));
      raised.push(...this.#overdueWarnings(group, desired.rotation));
      for (const link of group.links) {
        const health = healthOf(links, link);
        if (isKnown(health.verdict)) this.#knownAt.set(linkId(link), now);
        this.#note(linkId(link), health);
        const newest = supervisor.deviceCache.history(link).at(-1);
        observed.push(observedLink(link, health, newest, { now, settings: desired.health }));
        raised.push(...raisedBy(health, linkId(link), [link.device, group.name]));
        raised.push(...this.#driftWarnings(supervisor, link));
        raised.push(...farEndUnread(supervisor, link, wall), ...farEndLostUpdate(supervisor, link));
        raised.push(
          ...drainWarnings(supervisor, this.#parts.agent.memory, { about: linkId(link), ...link }),
          ...keyAgeWarnings(group, link, this.#created(link), wall),
        );
        raised.push(...sessionWarnings(supervisor, link), ...linkCommitLost(supervisor, link));
      }
    }
    for (const tunnel of desired.tunnels) {
      const evidence = this.#evidence(supervisor, tunnel, links, now);
      const health = deriveTunnelHealth(evidence);
      this.#note(tunnel.name, health);
      raised.push(...this.#backups.turn(evidence, wall));
      observed.push(observedTunnel(evidence, health));
      raised.push(...raisedBy(health, tunnel.name, [tunnel.device]));
      const { name: about, device, name: port } = tunnel;
      raised.push(...drainWarnings(supervisor, this.#parts.agent.memory, { about, device, port }));
      raised.push(
        ...balanceWarnings(supervisor, tunnel),
        ...rightsUnknown(supervisor, { kind: "preSharedKey", tunnel: tunnel.name }),
        ...authWarnings(this.#parts.agent.memory, tunnel),
        ...tunnelCommitLost(supervisor, tunnel),
      );
    }
    raised.push(...silentDevices(raised, (device) => this.#contact(supervisor, device), now));
    this.#parts.judged(observed, desired.health);
    const advanced = advance(this.#tracker, raised, now, namesIn(desired));
    this.#tracker = advanced.tracker;
    this.#visible = advanced.visible;
    for (const change of advanced.events) this.#reportChange(change);
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

  /** A campaign changes a link on purpose, so only a link at rest can drift. */
  #driftWarnings(supervisor: SiteView, link: DesiredLink): Raised[] {
    const { memory } = this.#parts.agent;
    if (openCampaign(memory, link.group) !== undefined) return [];
    const { deviceCache, intent } = supervisor;
    const standing = standingOf(
      deviceCache.snapshot(link),
      memory,
      deviceCache.capabilities(link.device),
    );
    if (standing.kind !== "managed" && standing.kind !== "clear") return [];
    const drift = standing.kind === "managed" ? standing.drift : [];
    const own = drift.map(({ text }) => text);
    const theirs = drift.filter(({ farEnd }) => farEnd !== undefined);
    const key = memory.bindings[linkId(link)]?.key;
    const vaultBase = vaultBaseOf(intent.desired.azure, [key?.cakSecretId]);
    const between = driftFindings(endsOf(deviceCache, link, vaultBase, key)).map(sidesOf);
    const text = [...own, ...between].join("; ");
    if (text === "") return [];
    // No plan of ours changes the far end: a person does, by what both ends show then.
    const isFar = between.length > 0 || theirs.length > 0;
    const next = isFar ? { next: `linkseal ends ${linkId(link)}` } : {};
    return [{ ...raise("drift", linkId(link), text), within: [link.device, link.group], ...next }];
  }

  #groupWarnings(group: DesiredGroup): Raised[] {
    const campaign = openCampaign(this.#parts.agent.memory, group.name);
    if (campaign === undefined) return unfinishedRotation(this.#parts.agent.memory, group.name);
    const about = `${group.name}/${campaign.links[campaign.at]?.name ?? ""}`;
    switch (campaign.state) {
      case "held":
        return [raise("rotation-held", about, reasonText(campaign.reason))];
      case "awaitingPeer":
        return [raise("waiting-for-person", about, reasonText(campaign.reason))];
      case "gated":
        return [waitsForCheck(about, campaign.reason)];
      case "queued":
      case "draining":
      case "staging":
      case "staged":
      case "switching":
      case "proving":
      case "promoting":
      case "retiring":
      case "restoring":
      case "reverting":
      case "done":
        return [];
    }
  }

  #created(link: DesiredLink): WallTime | undefined {
    return this.#parts.agent.memory.bindings[linkId(link)]?.created;
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

  #overdueWarnings(group: DesiredGroup, rotation: RotationSettings): readonly Raised[] {
    const { world, agent } = this.#parts;
    const wall = world.clock.wall();
    const graceEndMs = this.#startedAt - world.clock.now() + rotation.putGraceMs;
    return overdueWarnings({
      campaign: openCampaign(agent.memory, group.name),
      rotation,
      graceEnd: wallAfter(wall, graceEndMs),
      wall,
      isUnwritten: agent.unwritten.some(({ what }) => what === "journal"),
    });
  }

  #contact(supervisor: SiteView, device: string): DeviceContact {
    return {
      lastObservedAt: supervisor.deviceCache.state(device)?.at,
      failing: supervisor.deviceCache.failure(device),
      isAgentOverloaded: this.#parts.agent.isOverloaded,
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
      bgp: bgpOf(supervisor.deviceCache.state(link.device), link.port),
      sakSince: this.#saks.get(linkId(link))?.since,
      saksAsked: supervisor.deviceCache.askedSaks.of(link),
      causes: linkCauses(supervisor, link),
    });
    // A campaign changes the key of its link itself.
    const isAtRest = entry === undefined || entry.outcome !== undefined;
    const watched = isAtRest ? this.#watched(link, health) : health;
    if (Object.keys(memory.compromised).length === 0) return watched;
    const { places, unrecorded } = supervisor.compromisedKeys;
    return withCompromised(watched, link, memory.compromised, places, unrecorded);
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
