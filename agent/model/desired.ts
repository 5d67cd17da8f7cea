// What the accepted intent wants: the config after parsing, with every default filled in.

import type { RealCloud } from "#drivers/azure/azure-url.ts";
import type { DrainMeans, PortName, Transforms, WantedSettings } from "#hal/model.ts";
import type { SnmpLogin, SshLogin } from "#hal/target.ts";
import type { IkeTransforms, PpkUse, SaLife, TunnelBgp } from "#hal/tunnel-spec.ts";
import type { WallTime } from "#hal/world.ts";

/** A parsed config: every default is filled in, and durations are in milliseconds. */
export interface Desired {
  /** The name of the site. */
  readonly site: string;
  /** The cloud that has the vault and the far ends. */
  readonly azure: AzureSettings;
  /** The devices that linkseal configures. */
  readonly devices: readonly DesiredDevice[];
  /** The link groups. */
  readonly groups: readonly DesiredGroup[];
  /** The IPsec tunnels. */
  readonly tunnels: readonly DesiredTunnel[];
  /** Whether drift that cannot interrupt a port is repaired, and SAs that do not carry renewed. */
  readonly repair: "off" | "on";
  /** How the state is watched. */
  readonly health: HealthSettings;
  /**
   * What a config that is in force asks for as `staleAfter`, if its observations do not support so
   * long a time; absent = no more than `health` has.
   */
  readonly staleAfterAskedMs?: number;
  /** Waits and proofs of campaigns. */
  readonly rotation: RotationSettings;
  /** What may happen at once. */
  readonly limits: Limits;
  /** The services for other programs on this host. */
  readonly serve: ServeSettings;
  /** The receivers of events and metrics. */
  readonly telemetry: TelemetrySettings;
  /** The engine of many sites; absent = the site has none. */
  readonly fleet?: FleetSettings;
  /** The risks that the config accepts, each until a date. */
  readonly acceptRisks: readonly AcceptedRisk[];
}

/** How much may happen at once. */
interface Limits {
  /** Open campaigns, whatever their state; an emergency is not bound. */
  readonly campaignsAtOnce: number;
  /** Devices that are logged in to together. */
  readonly loginsAtOnce: number;
}

/** The settings of a real cloud, or of a simulated site. */
export type AzureSettings = SimulatedAzure | RealAzure;

/** The site's socket serves vault and far end. */
interface SimulatedAzure {
  readonly cloud: "sim";
  /** `unix:PATH` of the simulated site. */
  readonly vault: string;
  readonly farEnd: "manual" | "agent";
  readonly scopes: readonly string[];
}

/** The settings of a real cloud, or of the loopback cloud of tests. */
export interface RealAzure {
  /** The cloud of vault and far end. */
  readonly cloud: RealCloud;
  /** `https://NAME.SUFFIX`, checked against the cloud. */
  readonly vault: string;
  /** The party that changes the far end of a link. */
  readonly farEnd: "manual" | "agent";
  /** The agent's own identity. */
  readonly identity: AzureIdentity;
  /** Resource groups that are read for the scorecard, beside those that the config speaks of. */
  readonly scopes: readonly string[];
  /** Prefixes that the vault's name may stand for although they are private. */
  readonly privateEndpoints: readonly string[];
  /** URL from which tokens come, only in the loopback cloud; undefined in any other. */
  readonly authority: string | undefined;
  /** URL of Azure Resource Manager, only in the loopback cloud; undefined in any other. */
  readonly arm: string | undefined;
}

/** The agent's identity as the config names it; a `client` of undefined = system-assigned. */
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

/** One device of the config. */
export interface DesiredDevice {
  /** The device's name, unique in the config. */
  readonly name: string;
  /** A name of the driver table. */
  readonly driver: string;
  /** An IP address or host name, or `unix:PATH` of a control server. */
  readonly address: string;
  /** The pathspace of the FRR instance on a Linux host; absent = its only instance. */
  readonly pathspace?: string;
  /** Path of charon's socket on this host. */
  readonly charon?: string;
  /** How to log in by SSH; absent = the driver uses no SSH. */
  readonly ssh?: SshLogin;
  /** How to cross-check ports by SNMP; absent = they are not cross-checked. */
  readonly snmp?: SnmpLogin;
  /** The faults of this device that the agent works around. */
  readonly quirks: readonly Quirk[];
}

/**
 * The names of quirks that a config can give to a device; the second one says that the device does
 * not have the fault for which its platform has the first.
 */
export const quirkNames = ["shutBeforeKeyChange", "openDuringKeyChange"] as const;
type Quirk = (typeof quirkNames)[number];

/** The two links of one ExpressRoute Direct port. */
export interface DesiredGroup {
  /** The group's name, unique in the config. */
  readonly name: string;
  /** Resource id of the ExpressRoute port, or its name at a simulated site. */
  readonly expressRoutePort: string;
  /** `none` is the named risk noDrain. */
  readonly drain: DrainMeans | "none";
  /** When the old key leaves both ends: as soon as the new one is proven, or after the soak. */
  readonly retire: "afterProof" | "afterSoak";
  /** When a rotation begins by itself. */
  readonly rotate: RotatePolicy;
  /** Spans of days in which no rotation begins by itself. */
  readonly freezes: readonly Freeze[];
  /** The links in the order in which a campaign takes them. */
  readonly links: readonly DesiredLink[];
}

/** The rule that makes a rotation begin; no windows means at any time. */
export interface RotatePolicy {
  /** What begins a rotation: a newer key in the vault, the age of the old one, or an operator. */
  readonly on: "vaultVersion" | "age" | "hand";
  /** The age at which a key has to be rotated; undefined = no limit. */
  readonly maxAgeMs: number | undefined;
  /** The weekly windows in which it may begin. */
  readonly windows: readonly Window[];
}

/**
 * A weekly span of a zone's wall clock, as `Sat 02:00-06:00 Europe/Dublin` (days: `Sat`, `Mon-Fri`,
 * `Mon,Wed`, `daily`). It passes midnight if its end is not after its beginning.
 */
export interface Window {
  /** The window as the config writes it. */
  readonly text: string;
  /** The weekdays on which it begins; 0 = Sunday. */
  readonly days: readonly number[];
  /** Minute of the day at which it opens, 0 to 1439. */
  readonly fromMinute: number;
  /** Exclusive; 1440 is the end of the day. */
  readonly toMinute: number;
  /** Name of the zone in the host's time zone data. */
  readonly timeZone: string;
}

/** `2026-12-20/2027-01-05`: both days included, in UTC unless a zone follows. */
export interface Freeze {
  /** The freeze as the config writes it. */
  readonly text: string;
  /** The first moment of the freeze. */
  readonly from: WallTime;
  /** The first moment after the freeze. */
  readonly until: WallTime;
}

/** One link of a group. */
export interface DesiredLink {
  /** The link's name, unique in its group. */
  readonly name: string;
  /** The name of its group. */
  readonly group: string;
  /** The device at our end. */
  readonly device: string;
  /** The port at our end, as the device names it. */
  readonly port: PortName;
  /** The aggregate that has the port as its only member; absent = the config does not say. */
  readonly aggregate?: string;
  /** The routing instance of its BGP; absent = the config does not say. */
  readonly vrf?: string;
  /** The link of the ExpressRoute port at Microsoft's end. */
  readonly azureLink: "link1" | "link2";
  /** Line rate of the port, in Gbit/s. */
  readonly speedGbps: number;
  /** The MACsec settings that both ends shall have. */
  readonly settings: WantedSettings;
  /** Names of Key Vault secrets. */
  readonly key: { readonly cak: string; readonly ckn: string };
}

/** Secrets by their names in the vault. */
export type DesiredAuth = (
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
      /** Identity of the gateway: the subject of its certificate, or a name in it. */
      readonly peer: string;
    }
) & {
  /** A postquantum preshared key beside it; absent = none. */
  readonly ppk?: { readonly secret: string; readonly id: string; readonly use: PpkUse };
};

/** One IPsec tunnel to an Azure VPN gateway. */
export interface DesiredTunnel {
  /** The tunnel's name, unique in the config. */
  readonly name: string;
  /** The device that ends it. */
  readonly device: string;
  /** Our outer address. */
  readonly localAddress: string;
  /** The gateway's outer address. */
  readonly remoteAddress: string;
  /** Resource id of the gateway's connection, where its state may be read. */
  readonly azureConnection: string | undefined;
  /** Our prefixes, in CIDR notation. */
  readonly localPrefixes: readonly string[];
  /** Prefixes behind the gateway, in CIDR notation. */
  readonly remotePrefixes: readonly string[];
  /** The transforms of IKE. */
  readonly ike: IkeTransforms;
  /** The transforms of ESP. */
  readonly transforms: Transforms;
  /** Lifetime of its IPsec SAs. */
  readonly life: SaLife;
  /** The parts of its policy that only the risk `weakTunnel` allows; empty = none. */
  readonly weaknesses: readonly string[];
  /** MTU of the inner packets, in octets. */
  readonly mtu: number;
  /** Number of its xfrm interface, unique on its device. */
  readonly ifId: number;
  /** How both ends authenticate to each other in IKE. */
  readonly auth: DesiredAuth;
  /** `v1` = IKEv1 in main mode; absent = IKEv2. */
  readonly ikeVersion?: "v1";
  /** Our identity in IKE; absent = our outer address, or the subject of our certificate. */
  readonly localId?: string;
  /** The gateway's identity in IKE, with a PSK; absent = its outer address. */
  readonly remoteId?: string;
  /** Seconds without a packet from the gateway until it is probed; absent = the driver's. */
  readonly dpdSeconds?: number;
  /** Its BGP session; absent = a route for each remote prefix leads into it. */
  readonly bgp?: TunnelBgp;
  /** The group whose MACsec it must use as well; undefined = none. */
  readonly insideMacsec: string | undefined;
  /** The links that it is the backup of; absent = its prefixes ride in tunnels alone. */
  readonly backs?: BackedLinks;
}

/** The links of a group on the device of a tunnel, under whose MACsec its traffic rides first. */
export interface BackedLinks {
  /** The name of the group. */
  readonly group: string;
  /** Those of its links that are on the tunnel's device. */
  readonly links: readonly DesiredLink[];
  /** The time between two proofs by test traffic. */
  readonly proveMs: number;
}

/** How the state is watched. */
export interface HealthSettings {
  /** The time between two observations of a device. */
  readonly pollMs: number;
  /** The age at which a reading counts as stale. */
  readonly staleAfterMs: number;
  /** The span in which the counters of a working link must have moved. */
  readonly evidenceMs: number;
}

/** Waits and proofs of campaigns. */
export interface RotationSettings {
  /** How long the proof of a key must last without a gap. */
  readonly settleMs: number;
  /** Protected frames that must have passed in each direction for a proof. */
  readonly proofFrames: number;
  /** The longest wait for a change to show on the device. */
  readonly verifyMs: number;
  /** The device undoes a change that is not confirmed within this time. */
  readonly confirmMs: number;
  /** How long a link must stay healthy before its change counts as done. */
  readonly soakMs: number;
  /** The pause between changes of the links of a group; absent = there is none. */
  readonly bakeMs?: number;
  /** The longest wait for the far end. */
  readonly farEndMs: number;
  /** How long a put whose answer was lost may still take effect at the far end. */
  readonly putGraceMs: number;
  /** How long a campaign may wait for a person or a precondition before that is a warning. */
  readonly overdueMs: number;
  /** How many quiet samples in a row make a link drained, and the time between them. */
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
  /** The TCP port. */
  readonly port: number;
  /** `credential:NAME` or `file:PATH`, each; absent = on loopback alone, without TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** The receivers of telemetry; absent = nothing is sent. */
interface TelemetrySettings {
  readonly heads?: HeadSettings;
  readonly webhook?: WebhookSettings;
  readonly otlp?: OtlpSettings;
}

/** The log of this host that gets heads of the audit log. */
export interface HeadSettings {
  /** journald's own socket, or `/dev/log`. */
  readonly to: "journald" | "syslog";
  /** The time between two heads. */
  readonly everyMs: number;
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

/** The receiver of events. */
export interface WebhookSettings extends Receiver {
  /** The least severity of an event that is sent. */
  readonly least: "info" | "warning" | "error";
}

/** The receiver of metrics, an OpenTelemetry collector (OTLP). */
export interface OtlpSettings extends Receiver {
  /** The time between two exports. */
  readonly everyMs: number;
}

/** The engine that sites and hubs share, and this site's user there. */
export interface FleetSettings {
  /** `tls://HOST:PORT`, or `nats://127.0.0.1:PORT` of this host. */
  readonly servers: readonly string[];
  /** Path of the certificates that alone may certify a server; absent = those of the host. */
  readonly ca?: string;
  /** `credential:NAME` or `file:PATH` of the user's seed. */
  readonly key: string;
  /** The time between two heads of the audit log. */
  readonly headsMs: number;
  /** A campaign takes no link without a permit of a hub; absent = the site only publishes. */
  readonly permits?: "required";
  /** Absent = no proposal is read. */
  readonly proposals?: ProposalSettings;
}

/** Whose proposals count at this site, and what is done with them. */
export interface ProposalSettings {
  /** `key`: type and base64 of an OpenSSH public key. */
  readonly signers: readonly { readonly name: string; readonly key: string }[];
  /** `propose`: a person of the site applies them. */
  readonly apply: "propose" | "auto";
}

/** An address or socket that serves this host alone. */
export type Listen =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "port"; readonly host: "127.0.0.1" | "::1"; readonly port: number };

/** The risks that an operator can accept by name. */
export const riskNames = [
  "breakBeforeMake",
  "hardDrain",
  "noDrain",
  "ownPathUnknown",
  "agentOnSibling",
  "shortSettle",
  "outsideWindow",
  "noPermit",
  "noProbe",
  "farEndUnseen",
  "asFound",
  "weakTunnel",
  "clearAfterRetire",
] as const;
/** One of `riskNames`. */
export type RiskName = (typeof riskNames)[number];

/** The meaning of accepting each risk; `explain` and the reference print it. */
export const riskMeanings: Readonly<Record<RiskName, string>> = {
  breakBeforeMake: "a link is dark while both ends change to another key or setting",
  hardDrain:
    "a drain takes routes away, so traffic cannot fall back if the sibling fails meanwhile",
  noDrain: "a link is changed while it carries: what is on its way at that moment may be lost",
  ownPathUnknown: "it is not known whether the agent reaches device and vault over the link",
  agentOnSibling:
    "the sibling ends on the agent's own host: if that host fails while the link is dark or " +
    "shut, both links stay dark",
  shortSettle: "proof and drain are shorter than three MKA life times and their safe defaults",
  outsideWindow: "a rotation begins outside the group's windows or inside a freeze",
  noPermit:
    "a campaign takes links without the hub's permit: sites that it would have kept apart may " +
    "change at the same time",
  noProbe: "a device sends no probes, so the proof of a key rests on the traffic that comes by",
  farEndUnseen:
    "the far end is not read: the operator's word and the router's evidence count instead",
  asFound: "a link is adopted with settings that differ from the config",
  weakTunnel:
    "a tunnel runs under IKEv1, without a group, or under a policy that RFC 8221 or RFC 8247 " +
    "advises against",
  clearAfterRetire:
    "a tunnel goes from a device without block policies: what it protects may leave in the clear",
};

interface AcceptedRisk {
  readonly risk: RiskName;
  /** The moment from which the risk is no longer accepted. */
  readonly until: WallTime;
  readonly reason: string | undefined;
}

/** Returns the names of a config's devices, groups, links (as `group/link`) and tunnels. */
export function namesIn({ devices, groups, tunnels }: Desired): ReadonlySet<string> {
  const links = groups.flatMap((group) => group.links.map(linkId));
  return new Set([...[...devices, ...groups, ...tunnels].map(({ name }) => name), ...links]);
}

/** Returns `group/link`, the name of a link in every text, event and warning. */
export function linkId(link: DesiredLink): string {
  return `${link.group}/${link.name}`;
}

/** Returns all parts of the intent that a campaign of this group depends on. */
export function groupPart(desired: Desired | undefined, name: string): unknown {
  const group = desired?.groups.find((each) => each.name === name);
  const devices = desired?.devices.filter((device) =>
    group?.links.some((link) => link.device === device.name),
  );
  return { group, devices, azure: desired?.azure, rotation: desired?.rotation };
}
