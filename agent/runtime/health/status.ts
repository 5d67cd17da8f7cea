// Derives `linkseal.status/1` from health, observations and warnings.

import type {
  CipherSuite,
  IpsecTunnel,
  KeyRef,
  MacsecFrames,
  MacsecPort,
  MacsecSettings,
  MkaSession,
  Reading,
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
import type { TimedTelemetry } from "../polling/cache-slots.ts";
import type { GatewayReport } from "../polling/gateway-report.ts";
import type { BackupStatus } from "./backup-report.ts";
import type { Inside } from "./bgp-report.ts";
import type { SaReport } from "./sa-report.ts";

/** A plain JSON object that is passed on unchanged. */
type Summary = Readonly<Record<string, unknown>>;

export interface LinkStatusInput {
  readonly link: DesiredLink;
  readonly health: LinkHealth;
  readonly observation: MacsecPort | undefined;
  readonly expected: KeyRef | undefined;
  /** The key that a running campaign brings in; undefined = there is none. */
  readonly next: KeyRef | undefined;
  /** A reading older than this is reported as unknown, in milliseconds. */
  readonly staleAfterMs: number;
  /** When the version of the expected CAK was made; undefined = not known. */
  readonly keyCreated: WallTime | undefined;
  /** The watch of the SAKs after a rotation; undefined = there is none. */
  readonly laterSaks?: LaterSakWatch | undefined;
  readonly timedTelemetry?: TimedTelemetry | undefined;
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

export type StatusInput =
  | { readonly kind: "notConfigured"; readonly wall: WallTime }
  /** A config was accepted, but its stored copy is damaged. */
  | { readonly kind: "damaged"; readonly wall: WallTime; readonly reason: Reason }
  | {
      readonly kind: "configured";
      readonly site: string;
      readonly now: Instant;
      readonly wall: WallTime;
      readonly groups: readonly {
        readonly name: string;
        /** The running campaign; null = none. */
        readonly rotation: Summary | null;
        readonly links: readonly LinkStatusInput[];
      }[];
      readonly tunnels: readonly {
        readonly name: string;
        readonly health: TunnelHealth;
        readonly gateway?: GatewayReport | undefined;
        readonly bgp?: Inside["bgp"];
        readonly share?: Inside["share"];
        readonly backup?: BackupStatus;
        readonly ppk?: IpsecTunnel["ppk"];
        readonly sas?: SaReport;
      }[];
      readonly warnings: readonly VisibleWarning[];
      readonly unmanaged: readonly Unmanaged[];
    };

/** A link in the status. */
export interface LinkStatus {
  /** The link's name within its group. */
  readonly name: string;
  /** The router's name in the config. */
  readonly device: string;
  /** The port's name on the router. */
  readonly port: string;
  /** The verdict. */
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

interface GroupStatus {
  readonly name: string;
  readonly verdict: Verdict;
  readonly rotation: Summary | null;
  readonly links: readonly LinkStatus[];
}

interface TunnelStatus {
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
    readonly nat: NonNullable<SaReport["nat"]> | null;
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

/**
 * Derives the whole status; an aggregate is as bad as its worst part, and an empty one is
 * "unknown".
 */
export function deriveStatus(input: StatusInput): Status {
  if (input.kind === "notConfigured") return blind(input.wall, notConfigured);
  if (input.kind === "damaged") return blind(input.wall, input.reason);
  const { site, wall, now, unmanaged } = input;
  const groups = input.groups.map((group): GroupStatus => {
    const links = group.links.map((link) => linkStatus(link, wall, now));
    const verdict = worstOf(links.map((link) => link.verdict));
    return { name: group.name, verdict, rotation: group.rotation, links };
  });
  const tunnels = input.tunnels.map(
    ({ name, health, gateway, bgp, share, backup, ppk, sas }): TunnelStatus => ({
      name,
      verdict: health.verdict,
      reasons: health.reasons,
      because: health.because ?? null,
      azure: gateway === undefined ? null : azureOf(gateway, now),
      bgp: bgp === undefined ? null : { ...bgp, up: bgp.up ?? null, drained: bgp.drained ?? null },
      share: share === undefined ? null : { sent: String(share.sent), percent: share.percent },
      backup: backup ?? null,
      ppk: ppk ?? null,
      sas: { pairs: sas?.pairs ?? null, nat: sas?.nat ?? null },
    }),
  );
  // Wall time now minus the monotonic age: after a jump of the wall clock no time is in the future.
  const timeOf = (instant: Instant): string => isoTime(wallAfter(wall, instant - now));
  const warnings = input.warnings.map(
    ({ code, severity, about, since, absentSince, text, next }): WarningStatus => ({
      code,
      severity,
      about,
      since: timeOf(since),
      absentSince: absentSince === undefined ? null : timeOf(absentSince),
      text,
      next,
    }),
  );
  return {
    schema: "linkseal.status/1",
    site,
    at: isoTime(wall),
    verdict: worstOf([...groups, ...tunnels].map((part) => part.verdict)),
    reasons: [],
    groups,
    tunnels,
    warnings,
    unmanaged,
  };
}

const notConfigured: Reason = {
  code: "not-configured",
  text: "the agent is ready, and no config has been accepted yet",
  next: nextFor("not-configured", "site"),
};

function blind(wall: WallTime, reason: Reason): Status {
  return {
    schema: "linkseal.status/1",
    site: null,
    at: isoTime(wall),
    verdict: "unknown",
    reasons: [reason],
    groups: [],
    tunnels: [],
    warnings: [],
    unmanaged: [],
  };
}

function linkStatus(input: LinkStatusInput, wall: WallTime, now: Instant): LinkStatus {
  const { link, health, expected, next, keyCreated, timedTelemetry } = input;
  const session = solid(input, now, (observation) => observation.session);
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
    suite: solid(input, now, (observation) => observation.liveSuite) ?? null,
    confidentiality: {
      offset: solid(input, now, ({ settings }) => settings)?.confidentialityOffset ?? null,
      received: health.received ?? null,
    },
    ckn: expected?.ckn ?? null,
    keyVersion: expected?.cakSecretId.split("/").at(-1) ?? null,
    keyAgeDays: keyCreated === undefined ? null : wholeDays(keyCreated, wall),
    // The accepted key is not used here: during a campaign the link may have left it long ago.
    keyInUse: session?.principalCkn ?? null,
    // A change of settings keeps the key, and an accepted key is no longer the next one.
    keyNext: next === undefined || next.ckn === expected?.ckn ? null : next.ckn,
    mka: session === undefined ? null : mkaStatus(session),
    laterSaks: input.laterSaks ?? null,
    frames: framesStatus(solid(input, now, (observation) => observation.frames)),
    azure: timedTelemetry === undefined ? null : azureStatus(timedTelemetry, now),
  };
}

/** Returns a reading of the newest observation; undefined = it cannot be relied on now. */
function solid<T>(
  { observation, staleAfterMs }: LinkStatusInput,
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

function azureOf({ connection, instance, at }: GatewayReport, now: Instant): TunnelStatus["azure"] {
  return { connection, instance, ageMs: now - at };
}
