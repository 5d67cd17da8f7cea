// The names and figures of a simulated site, and the config that an operator would push for it.

import { type Capabilities, type MacsecCapabilities, rekeyWhats } from "#hal/device.ts";
import type { MacsecSettings, PortName } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { AzureLink } from "./msee.ts";

export interface PlannedLink {
  /** `group/link`. */
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly device: string;
  readonly port: PortName;
  readonly azureLink: AzureLink;
  /** The names of the vault secrets. */
  readonly key: { readonly cak: string; readonly ckn: string };
  /** The settings with which its port was set by hand; `handMadeSettings` if absent. */
  readonly settings?: MacsecSettings;
}

interface PlannedGroup {
  readonly name: string;
  /** The id of the expressRoutePort. */
  readonly expressRoutePort: string;
  readonly links: readonly PlannedLink[];
}

/** The names and addresses of one tunnel. */
export interface PlannedTunnel {
  /** The tunnel's name in the config. */
  readonly name: string;
  /** The router at which it ends. */
  readonly device: string;
  /** The group whose links carry it. */
  readonly group: string;
  /** The name of the vault secret with its PSK. */
  readonly pskSecret: string;
  /** The router's outer address. */
  readonly localAddress: string;
  /** The gateway's outer address. */
  readonly remoteAddress: string;
  /** The protected prefix on this side. */
  readonly localPrefix: string;
  /** The protected prefix behind the gateway. */
  readonly remotePrefix: string;
  /**
   * The connection in Azure, below `Microsoft.Network/`, which two tunnels may share; absent = one
   * of the tunnel's name.
   */
  readonly connection?: string;
}

export interface SitePlan {
  readonly name: string;
  readonly groups: readonly PlannedGroup[];
  readonly tunnels: readonly PlannedTunnel[];
}

const port = "et-0/0/0";
const tunnelsMax = 155;

/**
 * The default settings of the config, spelled out: a port that was protected by hand has exactly
 * these.
 */
export const handMadeSettings: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 64,
  sakRekeyMs: undefined,
};

/** The capabilities of the best router there is; a site may be built of lesser ones. */
export const fullCapabilities: Capabilities = {
  commit: { kind: "confirmed", confirmedBy: "anySession", stepMs: 1_000, maxMs: 3_600_000 },
  macsec: {
    suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
    overlap: "keychain",
    counters: "perSa",
    hitless: ["sakRekeyMs", "replayWindow"],
    freshSak: true,
  },
  ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: rekeyWhats },
  drain: { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs: 3_000 },
  probe: true,
};

/** How a router holds a new key beside the old one. */
export type Overlap = MacsecCapabilities["overlap"];

/** Returns the full capabilities with another way of holding keys. */
export function routerWith(overlap: Overlap): Capabilities {
  const { macsec } = fullCapabilities;
  if (macsec === undefined) throw new Error("the best router knows MACsec");
  return { ...fullCapabilities, macsec: { ...macsec, overlap } };
}

/** The capabilities and timing of one router. */
export interface RouterModel {
  /** The capabilities of the platform. */
  readonly capabilities: Capabilities;
  /** The time from the commit command to its prompt, in milliseconds; about a second if absent. */
  readonly commitMs?: number;
  /** The vendor's name for the port of a link; another vendor's name if absent. */
  readonly portName?: string;
}

/** Both links of a group may end at one router. */
export type RoutersPerGroup = "one" | "two";

/** Plans a site; a single group keeps the plain names of the demo, and more groups are numbered. */
export function planSite(
  name: string,
  groups: number,
  tunnels: number,
  routers: RoutersPerGroup = "two",
): SitePlan {
  if (tunnels > tunnelsMax) throw new RangeError(`at most ${tunnelsMax} tunnels have addresses`);
  const planned = Array.from({ length: groups }, (_, index) =>
    planGroup(name, groups === 1 ? "" : String(index + 1), routers),
  );
  const links = planned.flatMap((group) => group.links);
  return {
    name,
    groups: planned,
    tunnels: Array.from({ length: tunnels }, (_, index) => {
      const link = links[index % links.length];
      if (link === undefined) throw new RangeError("a tunnel needs a link group");
      return planTunnel(link, index + 1);
    }),
  };
}

/** Returns the plan with each port under the name that its router has for it. */
export function withPortNames(plan: SitePlan, models: (device: string) => RouterModel): SitePlan {
  const named = (link: PlannedLink, index: number): PlannedLink => {
    const port = models(link.device).portName ?? link.port;
    const isShared = link.port.endsWith("/1") && index > 0;
    return { ...link, port: isShared ? port.replace(/\d+$/, String(index)) : port };
  };
  return {
    ...plan,
    groups: plan.groups.map((group) => ({ ...group, links: group.links.map(named) })),
  };
}

function planGroup(site: string, number: string, routers: RoutersPerGroup): PlannedGroup {
  const name = `erd-${site}${number === "" ? "" : `-${number}`}`;
  const provider = "Microsoft.Network/expressRoutePorts";
  const link = (index: 1 | 2): PlannedLink => ({
    id: `${name}/${index === 1 ? "primary" : "secondary"}`,
    name: index === 1 ? "primary" : "secondary",
    group: name,
    device: `edge-${number}${index === 1 || routers === "one" ? "a" : "b"}`,
    port: routers === "one" ? port.replace(/\d+$/, String(index - 1)) : port,
    azureLink: `link${index}`,
    key: { cak: `${name}-${index}-cak`, ckn: `${name}-${index}-ckn` },
  });
  const subscription = "/subscriptions/00000000-0000-0000-0000-000000000000";
  return {
    name,
    expressRoutePort: `${subscription}/resourceGroups/${site}/providers/${provider}/${name}`,
    links: [link(1), link(2)],
  };
}

function planTunnel(link: PlannedLink, number: number): PlannedTunnel {
  return {
    name: `hub-${number}`,
    device: link.device,
    group: link.group,
    pskSecret: `hub-${number}-psk`,
    localAddress: `198.51.100.${number}`,
    remoteAddress: `203.0.113.${number}`,
    localPrefix: "10.1.0.0/16",
    remotePrefix: `10.${99 + number}.0.0/16`,
  };
}

/** Returns the settings that the policy `strong` of the config gives a tunnel. */
export function tunnelSpec(tunnel: PlannedTunnel, pskSecretId: string): TunnelSpec {
  return {
    name: tunnel.name,
    localAddress: tunnel.localAddress,
    remoteAddress: tunnel.remoteAddress,
    localPrefixes: [tunnel.localPrefix],
    remotePrefixes: [tunnel.remotePrefix],
    ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
    transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
    life: { seconds: 27_000, kilobytes: 102_400_000 },
    mtu: 1400,
    ifId: 42,
    auth: { kind: "psk", secretId: pskSecretId },
  };
}

/** Returns YAML for `linkseal apply`; `address` is where the site answers, `unix:PATH`. */
export function configText(plan: SitePlan, address: string): string {
  const devices = new Set(plan.groups.flatMap(({ links }) => links.map(({ device }) => device)));
  return [
    "version: 1",
    `site: ${plan.name}`,
    "azure:",
    "  cloud: sim",
    `  vault: ${address}`,
    "  farEnd: agent",
    "devices:",
    ...[...devices].flatMap((name) => [
      `  - name: ${name}`,
      "    driver: sim",
      `    address: ${address}`,
    ]),
    "groups:",
    ...plan.groups.flatMap(groupText),
    ...(plan.tunnels.length === 0 ? [] : ["tunnels:", ...plan.tunnels.flatMap(tunnelText)]),
    "acceptRisks:",
    "  - { risk: breakBeforeMake, until: 2027-11-24, reason: first keys of every link }",
    "",
  ].join("\n");
}

function groupText({ name, expressRoutePort, links }: PlannedGroup): string[] {
  return [
    `  - name: ${name}`,
    `    expressRoutePort: ${expressRoutePort}`,
    "    drain: prepend",
    `    order: [${links.map((link) => link.name).join(", ")}]`,
    "    links:",
    ...links.flatMap((link) => [
      `      - name: ${link.name}`,
      `        device: ${link.device}`,
      `        port: ${link.port}`,
      `        azureLink: ${link.azureLink}`,
      "        speed: 100G",
      `        macsec: { suite: ${handMadeSettings.suite} }`,
      `        key: { cak: ${link.key.cak}, ckn: ${link.key.ckn} }`,
    ]),
  ];
}

function tunnelText(tunnel: PlannedTunnel): string[] {
  const { localPrefix, remotePrefix } = tunnel;
  return [
    `  - name: ${tunnel.name}`,
    `    device: ${tunnel.device}`,
    `    local: { address: ${tunnel.localAddress} }`,
    `    remote: { address: ${tunnel.remoteAddress} }`,
    `    protects: { local: [${localPrefix}], remote: [${remotePrefix}] }`,
    `    auth: { psk: ${tunnel.pskSecret} }`,
    `    insideMacsec: ${tunnel.group}`,
  ];
}
