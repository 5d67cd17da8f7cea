// What the accepted intent wants: the config after parsing, with every default filled in.

import type { DrainMeans, PortName, Transforms, WantedSettings } from "#hal/model.ts";
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
  readonly acceptRisks: readonly AcceptedRisk[];
}

/** Only the simulated cloud works in this version; its site's socket serves vault and far end. */
interface AzureSettings {
  readonly cloud: "sim";
  /** `unix:PATH` of the simulated site. */
  readonly vault: string;
  readonly farEnd: "manual" | "agent";
}

export interface DesiredDevice {
  readonly name: string;
  /** A name of the driver table. */
  readonly driver: string;
  readonly address: string;
}

export interface DesiredGroup {
  readonly name: string;
  readonly expressRoutePort: string;
  readonly drain: DrainMeans;
  /** In the order in which a campaign takes them. */
  readonly links: readonly DesiredLink[];
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

export interface DesiredTunnel {
  readonly name: string;
  readonly device: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly localPrefixes: readonly string[];
  readonly remotePrefixes: readonly string[];
  readonly transforms: Transforms;
  readonly pskSecret: string;
  /** The group whose MACsec it must ride inside. */
  readonly insideMacsec: string | undefined;
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
  readonly drained: { readonly samples: number; readonly everyMs: number };
}

export const riskNames = [
  "breakBeforeMake",
  "hardDrain",
  "ownPathUnknown",
  "shortSettle",
  "asFound",
] as const;
export type RiskName = (typeof riskNames)[number];

/** What accepting each risk means; `explain` and the reference print it. */
export const riskMeanings: Readonly<Record<RiskName, string>> = {
  breakBeforeMake: "a link is dark while both ends change to another key or setting",
  hardDrain:
    "a drain takes routes away, so traffic cannot fall back if the sibling fails meanwhile",
  ownPathUnknown: "nobody knows whether our own way to device and vault crosses the link",
  shortSettle: "proof and drain are shorter than three MKA life times and their safe defaults",
  asFound: "a link is adopted with settings that differ from the config",
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
