// What the accepted intent wants: the config after parsing, with every default filled in.

import type { RealCloud } from "#drivers/azure/azure-url.ts";
import type {
  DrainMeans,
  IkeTransforms,
  PortName,
  SaLife,
  Transforms,
  TunnelBgp,
  WantedSettings,
} from "#hal/model.ts";
import type { SnmpLogin, SshLogin } from "#hal/target.ts";
import type { WallTime } from "#hal/world.ts";

export interface Desired {
  readonly site: string;
  readonly azure: AzureSettings;
  readonly devices: readonly DesiredDevice[];
  readonly groups: readonly DesiredGroup[];
  readonly tunnels: readonly DesiredTunnel[];
  readonly repair: "off" | "on";
  readonly health: HealthSettings;
  readonly rotation: RotationSettings;
  readonly serve: ServeSettings;
  readonly telemetry: TelemetrySettings;
  readonly acceptRisks: readonly AcceptedRisk[];
}

export type AzureSettings = SimulatedAzure | RealAzure;

/** The site's socket serves vault and far end. */
interface SimulatedAzure {
  readonly cloud: "sim";
  /** `unix:PATH` of the simulated site. */
  readonly vault: string;
  readonly farEnd: "manual" | "agent";
  readonly scopes: readonly string[];
}

export interface RealAzure {
  readonly cloud: RealCloud;
  /** `https://NAME.SUFFIX`, checked against the cloud. */
  readonly vault: string;
  readonly farEnd: "manual" | "agent";
  readonly identity: AzureIdentity;
  /** Resource groups that are read for the scorecard, beside those that the config speaks of. */
  readonly scopes: readonly string[];
  /** Prefixes that the vault's name may stand for although they are private. */
  readonly privateEndpoints: readonly string[];
  /** Only the loopback cloud has it. */
  readonly authority: string | undefined;
  readonly arm: string | undefined;
}

/** Chosen by the config and never found by probing; a `client` of undefined = system-assigned. */
export type AzureIdentity =
  | { readonly kind: "arc"; readonly client: string | undefined }
  | {
      readonly kind: "managedIdentity";
      readonly source: "imds" | "appService";
      readonly client: string | undefined;
    }
  | {
      readonly kind: "clientCertificate";
      readonly tenant: string;
      readonly client: string;
      /** `credential:NAME` or `file:PATH` of one PEM. */
      readonly certificate: string;
    }
  | {
      readonly kind: "workloadIdentity";
      readonly tenant: string;
      readonly client: string;
      readonly tokenFile: string;
    };

export interface DesiredDevice {
  readonly name: string;
  /** A name of the driver table. */
  readonly driver: string;
  readonly address: string;
  /** The pathspace of the FRR instance on a Linux host; absent = its only instance. */
  readonly pathspace?: string;
  /** Path of charon's socket on this host. */
  readonly charon?: string;
  readonly ssh?: SshLogin;
  readonly snmp?: SnmpLogin;
  /** The faults of this device that the agent works around. */
  readonly quirks: readonly Quirk[];
}

export const quirkNames = ["shutBeforeKeyChange"] as const;
type Quirk = (typeof quirkNames)[number];

export interface DesiredGroup {
  readonly name: string;
  readonly expressRoutePort: string;
  /** `none` is the named risk noDrain. */
  readonly drain: DrainMeans | "none";
  /** When the old key leaves both ends: as soon as the new one is proven, or after the soak. */
  readonly retire: "afterProof" | "afterSoak";
  readonly rotate: RotatePolicy;
  readonly freezes: readonly Freeze[];
  /** The links in the order in which a campaign takes them. */
  readonly links: readonly DesiredLink[];
}

/** The rule that makes a rotation begin; no windows means at any time. */
export interface RotatePolicy {
  readonly on: "vaultVersion" | "age" | "hand";
  readonly maxAgeMs: number | undefined;
  readonly windows: readonly Window[];
}

/**
 * A weekly span of a zone's wall clock, as `Sat 02:00-06:00 Europe/Dublin` (days: `Sat`, `Mon-Fri`,
 * `Mon,Wed`, `daily`). It passes midnight if its end is not after its beginning.
 */
export interface Window {
  readonly text: string;
  /** The weekdays on which it begins; 0 = Sunday. */
  readonly days: readonly number[];
  readonly fromMinute: number;
  /** Exclusive; 1440 is the end of the day. */
  readonly toMinute: number;
  readonly timeZone: string;
}

/** `2026-12-20/2027-01-05`: both days included, in UTC unless a zone follows. */
export interface Freeze {
  readonly text: string;
  readonly from: WallTime;
  /** Over from here on. */
  readonly until: WallTime;
}

export interface DesiredLink {
  readonly name: string;
  readonly group: string;
  readonly device: string;
  readonly port: PortName;
  readonly azureLink: "link1" | "link2";
  readonly speedGbps: number;
  readonly settings: WantedSettings;
  /** Names of Key Vault secrets. */
  readonly key: { readonly cak: string; readonly ckn: string };
}

/** Secrets by their names in the vault. */
export type DesiredAuth =
  | {
      readonly kind: "psk";
      readonly secret: string;
      /** The party that gives a newer version to the gateway. */
      readonly farEnd: "manual" | "agent";
    }
  | {
      readonly kind: "certificate";
      readonly secret: string;
      readonly authorities: string;
      /** Subject of the gateway's certificate. */
      readonly peer: string;
    };

export interface DesiredTunnel {
  readonly name: string;
  readonly device: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Resource id of the gateway's connection, where its state may be read. */
  readonly azureConnection: string | undefined;
  readonly localPrefixes: readonly string[];
  readonly remotePrefixes: readonly string[];
  readonly ike: IkeTransforms;
  /** The transforms of ESP. */
  readonly transforms: Transforms;
  readonly life: SaLife;
  /** The parts of it that the risk `weakTunnel` alone allows; empty = none. */
  readonly weaknesses: readonly string[];
  readonly mtu: number;
  readonly ifId: number;
  readonly auth: DesiredAuth;
  /** Absent: a route for each remote prefix leads into it. */
  readonly bgp?: TunnelBgp;
  /** The group whose MACsec it must ride inside. */
  readonly insideMacsec: string | undefined;
  /** The links that it is the backup of; absent = its prefixes ride in tunnels alone. */
  readonly backs?: BackedLinks;
}

/** The links of a group on the device of a tunnel, under whose MACsec its traffic rides first. */
export interface BackedLinks {
  readonly group: string;
  readonly links: readonly DesiredLink[];
  /** Between two proofs by test traffic. */
  readonly proveMs: number;
}

export interface HealthSettings {
  readonly pollMs: number;
  readonly staleAfterMs: number;
  readonly evidenceMs: number;
}

export interface RotationSettings {
  readonly settleMs: number;
  readonly proofFrames: number;
  readonly verifyMs: number;
  readonly confirmMs: number;
  readonly soakMs: number;
  readonly farEndMs: number;
  readonly putGraceMs: number;
  /** How long a campaign may wait for a person or a precondition before that is a warning. */
  readonly overdueMs: number;
  readonly drained: { readonly samples: number; readonly everyMs: number };
}

/** The services for other programs on this host; absent = not served. */
interface ServeSettings {
  readonly metrics?: Listen;
  readonly page?: PageSettings;
}

/** Where the status page is served, and how. */
export interface PageSettings {
  /** An address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** `credential:NAME` or `file:PATH`, each; absent = on loopback alone, without TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** The receivers of telemetry; absent = nothing is sent. */
interface TelemetrySettings {
  readonly webhook?: WebhookSettings;
  readonly otlp?: OtlpSettings;
}

/** A receiver of telemetry. */
export interface Receiver {
  /** `https://HOST/PATH`, or of an export `http://127.0.0.1:PORT/PATH`. */
  readonly url: string;
  /** `value`: `credential:NAME` or `file:PATH`. */
  readonly header?: { readonly name: string; readonly value: string };
  /** Prefixes that its name may stand for although they are private. */
  readonly privateEndpoints: readonly string[];
}

export interface WebhookSettings extends Receiver {
  readonly least: "info" | "warning" | "error";
}

export interface OtlpSettings extends Receiver {
  readonly everyMs: number;
}

/** It serves this host alone. */
export type Listen =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "port"; readonly host: "127.0.0.1" | "::1"; readonly port: number };

export const riskNames = [
  "breakBeforeMake",
  "hardDrain",
  "noDrain",
  "ownPathUnknown",
  "shortSettle",
  "outsideWindow",
  "noProbe",
  "farEndUnseen",
  "asFound",
  "weakTunnel",
  "clearAfterRetire",
] as const;
export type RiskName = (typeof riskNames)[number];

/** The meaning of accepting each risk; `explain` and the reference print it. */
export const riskMeanings: Readonly<Record<RiskName, string>> = {
  breakBeforeMake: "a link is dark while both ends change to another key or setting",
  hardDrain:
    "a drain takes routes away, so traffic cannot fall back if the sibling fails meanwhile",
  noDrain: "a link is changed while it carries: what is on its way at that moment may be lost",
  ownPathUnknown: "it is not known whether the agent reaches device and vault over the link",
  shortSettle: "proof and drain are shorter than three MKA life times and their safe defaults",
  outsideWindow: "a rotation begins outside the group's windows or inside a freeze",
  noProbe: "a device sends no probes, so the proof of a key rests on the traffic that comes by",
  farEndUnseen:
    "the far end is not read: the operator's word and the router's evidence count instead",
  asFound: "a link is adopted with settings that differ from the config",
  weakTunnel:
    "a tunnel runs under a policy that RFC 8221 or RFC 8247 advises against, or without a group",
  clearAfterRetire:
    "a tunnel goes from a device without block policies: what it protects may leave in the clear",
};

interface AcceptedRisk {
  readonly risk: RiskName;
  /** The risk counts as not accepted from here on. */
  readonly until: WallTime;
  readonly reason: string | undefined;
}

/** `group/link`, the name of a link in every text, event and warning. */
export function linkId(link: DesiredLink): string {
  return `${link.group}/${link.name}`;
}

/** All that a campaign of this group depends on. */
export function groupPart(desired: Desired | undefined, name: string): unknown {
  const group = desired?.groups.find((each) => each.name === name);
  const devices = desired?.devices.filter((device) =>
    group?.links.some((link) => link.device === device.name),
  );
  return { group, devices, azure: desired?.azure, rotation: desired?.rotation };
}
