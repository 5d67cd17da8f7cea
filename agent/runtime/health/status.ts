// Derives `linkseal.status/1` from health, observations and warnings.

import {
  type CipherSuite,
  type IpsecTunnel,
  type KeyRef,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  type Reading,
  strongValue,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { wallAfter } from "#hal/world.ts";
import type { LaterSakWatch } from "../../health/sak-watch.ts";
import type { VisibleWarning } from "../../health/warnings.ts";
import type { DesiredLink } from "../../model/desired.ts";
import {
  type Because,
  type Confidentiality,
  isSolid,
  type LinkHealth,
  type Reason,
  type TunnelHealth,
  type Verdict,
  worstOf,
} from "../../model/health.ts";
import { isoTime, wholeDays } from "../../model/iso-time.ts";
import { nextFor, type Severity, type WarningCode } from "../../model/warning-rows.ts";
import type { CampaignShape } from "../../rotation/campaign-shape.ts";
import type { Binding } from "../../store/journal/memory.ts";
import type { TimedTelemetry } from "../polling/cache-slots.ts";
import type { GatewayReport } from "../polling/gateway-report.ts";
import type { BackupStatus } from "./backup-report.ts";
import type { Inside } from "./bgp-report.ts";

/** A moment by both clocks. */
export interface Moment {
  readonly now: Instant;
  readonly wall: WallTime;
}

/** What the status of a link is derived from; undefined = there is none, or it is not known. */
export interface LinkFacts {
  readonly link: DesiredLink;
  readonly health: LinkHealth;
  readonly observation: MacsecPort | undefined;
  /** The accepted key. */
  readonly binding: Pick<Binding, "key" | "created"> | undefined;
  /** The key that a running campaign brings in. */
  readonly next: KeyRef | undefined;
  /** A reading older than this is reported as unknown, in milliseconds. */
  readonly staleAfterMs: number;
  readonly laterSaks: LaterSakWatch | undefined;
  readonly telemetry: TimedTelemetry | undefined;
}

/** A tunnel on its device: `absent` = the device does not list it, `unknown` = nothing is fresh. */
export type SeenTunnel = IpsecTunnel | "absent" | "unknown";

/** What the status of a tunnel is derived from. */
export interface TunnelFacts extends Inside, Pick<IpsecTunnel, "ppk"> {
  readonly name: string;
  readonly health: TunnelHealth;
  readonly seen: SeenTunnel;
  readonly staleAfterMs: number;
  readonly gateway: GatewayReport | undefined;
  readonly backup?: BackupStatus;
}

/**
 * Something that no intent mentions, on a device or in the agent's memory: reported until it is
 * retired.
 */
export interface Unmanaged {
  readonly kind: "link" | "tunnel" | "key";
  readonly name: string;
  readonly where: string;
  readonly text: string;
  readonly next: string;
}

export interface LinkStatus {
  /** The link's name within its group. */
  readonly name: string;
  /** The router's name in the config. */
  readonly device: string;
  /** The port's name on the router. */
  readonly port: string;
  readonly verdict: Verdict;
  /** The reasons, those of the verdict first; empty = every check passed. */
  readonly reasons: readonly Reason[];
  /** The ages of the evidence in milliseconds; null = never read. */
  readonly ages: {
    readonly controlPlaneMs: number | null;
    readonly dataPlaneMs: number | null;
    readonly farEndMs: number | null;
  };
  /** The suite of the live SA; null = not known. */
  readonly suite: CipherSuite | null;
  /** How much of its frames is encrypted. */
  readonly confidentiality: {
    /** Octets of each frame that stay readable by its settings; null = not known. */
    readonly offset: MacsecSettings["confidentialityOffset"] | null;
    /** What the counters prove about received frames; null = no fresh evidence. */
    readonly received: Confidentiality | null;
    /** What its settings, its suite and what was sent show of sent frames; null = never read. */
    readonly sent: NonNullable<LinkHealth["sent"]> | null;
  };
  /** CKN of the accepted key; null = none is accepted. */
  readonly ckn: string | null;
  /** Vault version of the accepted CAK; null = no key is accepted. */
  readonly keyVersion: string | null;
  /** Age of the accepted key in whole days; null = not known. */
  readonly keyAgeDays: number | null;
  /** CKN of MKA's principal actor (IEEE 802.1X-2020); null = not known. */
  readonly keyInUse: string | null;
  /** CKN that the running campaign brings in; null = none. */
  readonly keyNext: string | null;
  /** The MKA session; null = not known. */
  readonly mka: {
    readonly livePeers: number;
    readonly principalCkn: string | null;
    readonly keyServer: "self" | "peer" | "none";
  } | null;
  /**
   * How many of the SAKs after the first one of a rotated key were in use, where the rotation could
   * not prove them; null = they are not watched, or the watch has ended.
   */
  readonly laterSaks: LaterSakWatch | null;
  /** Frame counters as decimal text, because they exceed 2^53; null = not known. */
  readonly frames: {
    readonly rxOk: string;
    readonly rxNotValid: string | null;
    readonly rxClear: string | null;
    readonly txProtected: string;
  } | null;
  /** The readings of Azure's own meters, minutes late; no verdict depends on them. */
  readonly azure: {
    readonly ageMs: number;
    readonly until: string | null;
    readonly lineUp: boolean | null;
    readonly rxDbm: number | null;
    readonly txDbm: number | null;
    readonly arpPercent: number | null;
    readonly bgpPercent: number | null;
    readonly peerings: readonly { readonly type: string; readonly state: string }[];
  } | null;
}

export interface GroupStatus {
  readonly name: string;
  readonly verdict: Verdict;
  /** The running campaign; null = none. */
  readonly rotation: CampaignShape | null;
  readonly links: readonly LinkStatus[];
}

export interface TunnelStatus {
  readonly name: string;
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
  /** The cause that alarms in its place, if the verdict is a consequence; null = it is none. */
  readonly because: Because | null;
  /** The gateway's own report; no verdict depends on it. */
  readonly azure: {
    /** The status of the connection, which may have two tunnels. */
    readonly connection: string;
    /** The status of this tunnel, to its instance of the gateway; null = it is not reported. */
    readonly instance: string | null;
    readonly ageMs: number;
  } | null;
  /** The BGP session inside the tunnel; null = none is wanted. */
  readonly bgp: {
    readonly peer: string;
    readonly asn: number;
    readonly up: boolean | null;
    readonly drained: boolean | null;
  } | null;
  /**
   * Its share of the packets that its bundle sent in the evidence window; null = it is in no
   * bundle, or nothing is known.
   */
  readonly share: { readonly sent: string; readonly percent: number } | null;
  /** null = the tunnel backs up no group. */
  readonly backup: BackupStatus | null;
  /** Whether its PPK is in the keys of IKE; null = none is wanted, or it is not known. */
  readonly ppk: "used" | "unused" | null;
  /** Its SAs; each null = not known. */
  readonly sas: {
    /** Pairs that carry; more than one = a second child, or a rekey by both ends at once. */
    readonly pairs: number | null;
    /** The ends that are behind a NAT, where ESP travels in UDP. */
    readonly nat: NonNullable<IpsecTunnel["nat"]> | null;
  };
}

export interface WarningStatus {
  readonly code: WarningCode;
  readonly severity: Severity;
  readonly about: string;
  readonly since: string;
  /** null = the condition is true now; otherwise the time of the first observation without it. */
  readonly absentSince: string | null;
  readonly text: string;
  readonly next: string;
}

/** The status of the site, `linkseal.status/1`. */
export interface Status {
  /** The JSON schema's name and version. */
  readonly schema: "linkseal.status/1";
  /** The site's name; null = no config was ever accepted. */
  readonly site: string | null;
  /** When the status was derived, in ISO 8601. */
  readonly at: string;
  /** The worst verdict of all links and tunnels. */
  readonly verdict: Verdict;
  /** Faults of the agent as a whole; links and tunnels have their own reasons. */
  readonly reasons: readonly Reason[];
  /** The groups of links, in the order of the config. */
  readonly groups: readonly GroupStatus[];
  /** The tunnels, in the order of the config. */
  readonly tunnels: readonly TunnelStatus[];
  /** The open warnings, the worst first. */
  readonly warnings: readonly WarningStatus[];
  /** Links, tunnels and keys that no intent mentions. */
  readonly unmanaged: readonly Unmanaged[];
}

/** What the status of the site is derived from. */
interface SiteParts extends Omit<Status, "schema" | "at" | "verdict" | "warnings"> {
  readonly warnings: readonly VisibleWarning[];
}

/** Derives the status of the site, as bad as its worst part; without parts it is "unknown". */
export function siteStatus(parts: SiteParts, { now, wall }: Moment): Status {
  const { site, reasons, groups, tunnels, unmanaged, warnings } = parts;
  // Wall time now minus the monotonic age: after a jump of the wall clock no time is in the future.
  const timeOf = (instant: Instant): string => isoTime(wallAfter(wall, instant - now));
  return {
    schema: "linkseal.status/1",
    site,
    at: isoTime(wall),
    verdict: worstOf([...groups, ...tunnels].map((part) => part.verdict)),
    ...{ reasons, groups, tunnels },
    warnings: warnings.map(({ code, severity, about, since, absentSince, text, next }) => ({
      ...{ code, severity, about },
      since: timeOf(since),
      absentSince: absentSince === undefined ? null : timeOf(absentSince),
      ...{ text, next },
    })),
    unmanaged,
  };
}

/** Why nothing is known of a site whose agent has no config. */
export const notConfigured: Reason = {
  code: "not-configured",
  text: "the agent is ready, and no config has been accepted yet",
  next: nextFor("not-configured", "site"),
};

/** Derives the status of a group, which is as bad as its worst link. */
export function groupStatus(
  name: string,
  rotation: GroupStatus["rotation"],
  links: readonly LinkStatus[],
): GroupStatus {
  return { name, verdict: worstOf(links.map(({ verdict }) => verdict)), rotation, links };
}

/** Derives the status of a tunnel. */
export function tunnelStatus(facts: TunnelFacts, now: Instant): TunnelStatus {
  const { name, health, gateway, bgp, share, backup, ppk } = facts;
  const { connection = "", instance = null } = gateway ?? {};
  return {
    name,
    verdict: health.verdict,
    reasons: health.reasons,
    because: health.because ?? null,
    azure: gateway === undefined ? null : { connection, instance, ageMs: now - gateway.at },
    bgp: bgp === undefined ? null : { ...bgp, up: bgp.up ?? null, drained: bgp.drained ?? null },
    share: share === undefined ? null : { sent: String(share.sent), percent: share.percent },
    backup: backup ?? null,
    ppk: ppk ?? null,
    sas: sasStatus(facts, now),
  };
}

function sasStatus({ seen, staleAfterMs }: TunnelFacts, now: Instant): TunnelStatus["sas"] {
  if (typeof seen === "string" || !isSolid(seen.sas, now, staleAfterMs)) {
    return { pairs: null, nat: null };
  }
  const sending = seen.sas.value.filter(
    ({ direction, phase }) => direction === "out" && phase === "installed",
  );
  const isUp = strongValue(seen.ike) === "established";
  return { pairs: sending.length, nat: isUp ? (seen.nat ?? null) : null };
}

/** Derives the status of a link. */
export function linkStatus(facts: LinkFacts, { now, wall }: Moment): LinkStatus {
  const { link, health, binding, next, telemetry } = facts;
  const session = solid(facts, now, (observation) => observation.session);
  const accepted = binding?.key;
  return {
    name: link.name,
    device: link.device,
    port: link.port,
    verdict: health.verdict,
    reasons: health.reasons,
    ages: {
      controlPlaneMs: wholeMs(health.ages.controlPlaneMs),
      dataPlaneMs: wholeMs(health.ages.dataPlaneMs),
      farEndMs: wholeMs(health.ages.farEndMs),
    },
    suite: solid(facts, now, (observation) => observation.liveSuite) ?? null,
    confidentiality: {
      offset: solid(facts, now, ({ settings }) => settings)?.confidentialityOffset ?? null,
      received: health.received ?? null,
      sent: health.sent ?? null,
    },
    ckn: accepted?.ckn ?? null,
    keyVersion: accepted?.cakSecretId.split("/").at(-1) ?? null,
    keyAgeDays: binding === undefined ? null : wholeDays(binding.created, wall),
    // The accepted key is not used here: during a campaign the link may have left it long ago.
    keyInUse: session?.principalCkn ?? null,
    // A change of settings keeps the key, and an accepted key is no longer the next one.
    keyNext: next === undefined || next.ckn === accepted?.ckn ? null : next.ckn,
    mka: session === undefined ? null : mkaStatus(session),
    laterSaks: facts.laterSaks ?? null,
    frames: framesStatus(solid(facts, now, (observation) => observation.frames)),
    azure: telemetry === undefined ? null : azureStatus(telemetry, now),
  };
}

/** Returns a reading of the newest observation; undefined = it cannot be relied on now. */
function solid<T>(
  { observation, staleAfterMs }: LinkFacts,
  now: Instant,
  pick: (observation: MacsecPort) => Reading<T>,
): T | undefined {
  const reading = observation === undefined ? undefined : pick(observation);
  return reading !== undefined && isSolid(reading, now, staleAfterMs) ? reading.value : undefined;
}

function azureStatus(
  { telemetry, at }: TimedTelemetry,
  now: Instant,
): NonNullable<LinkStatus["azure"]> {
  return {
    ageMs: now - at,
    until: telemetry.until === undefined ? null : isoTime(telemetry.until),
    lineUp: telemetry.lineUp ?? null,
    rxDbm: telemetry.rxDbm ?? null,
    txDbm: telemetry.txDbm ?? null,
    arpPercent: telemetry.arpPercent ?? null,
    bgpPercent: telemetry.bgpPercent ?? null,
    peerings: telemetry.peerings,
  };
}

function wholeMs(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}

function mkaStatus({ livePeers, principalCkn, keyServer }: MkaSession): LinkStatus["mka"] {
  return { livePeers, principalCkn: principalCkn ?? null, keyServer };
}

function framesStatus(frames: MacsecFrames | undefined): LinkStatus["frames"] {
  if (frames === undefined) return null;
  const { rxOk, rxNotValid, rxClear, txProtected } = frames;
  return {
    rxOk: String(rxOk),
    rxNotValid: rxNotValid === undefined ? null : String(rxNotValid),
    rxClear: rxClear === undefined ? null : String(rxClear),
    txProtected: String(txProtected),
  };
}
