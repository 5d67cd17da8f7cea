// Rules for two ends of one link that must match: each rule is a row with the document that defines
// it.
// Pure; used by `doctor`, `status` and `plan` alike.

import type { Capabilities, PeerState } from "#hal/device.ts";
import {
  type CipherSuite,
  type KeyRef,
  type MacsecPort,
  type MacsecSettings,
  strongValue,
} from "#hal/model.ts";
import { settingsGaps } from "../health/verify.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import type { Finding, FindingCode } from "../model/finding.ts";
import { lostKeyNext } from "../model/lost-key.ts";
import { severityOf } from "../model/severity.ts";
import type { WarningCode } from "../model/warning-rows.ts";

/** Both ends of a link, as the rules compare them. */
export interface TwoEnds {
  /** The configured link. */
  readonly link: DesiredLink;
  /** The router's port as last read; undefined = not readable, so no rule judges it. */
  readonly port: MacsecPort | undefined;
  /** The capabilities of the router's session; undefined = not read yet. */
  readonly capabilities: Capabilities | undefined;
  /** The far end as last read; undefined = not readable, so no rule judges it. */
  readonly peer: PeerState | undefined;
  /** The common prefix of secret ids, `https://NAME.vault.azure.net`; undefined = not known. */
  readonly vaultBase: string | undefined;
  /** The key that the link is known to use. */
  readonly accepted: KeyRef | undefined;
}

interface Observed {
  readonly here: string;
  readonly there: string | null;
}

interface LinkRule {
  readonly code: FindingCode | WarningCode;
  readonly rule: string;
  readonly source: string;
  readonly next: string;
  /**
   * True if only this rule reports it: neither a link verdict nor the comparison with the accepted
   * key does.
   */
  readonly alone?: true;
  readonly find: (ends: TwoEnds) => Observed | undefined;
}

const howTo = "Microsoft Learn: Configure MACsec on ExpressRoute Direct ports";
const about = "Microsoft Learn: About encryption for Azure ExpressRoute";
const portModel = "Azure REST API: Microsoft.Network/expressRoutePorts";
const lagModel = "Azure REST API: Microsoft.Network/expressRouteLags";
const secretModel = "Azure Key Vault REST API: secret identifiers";
const config = "the accepted config: linkseal config show";

const portNext = "linkseal ends LINK";
const nextCommand = "linkseal plan --accepted";

const rules: readonly LinkRule[] = [
  {
    code: "macsec-one-sided",
    rule: "MACsec is on at both ends or at none: with one alone no frame passes",
    source: about,
    next: "linkseal rotation show, or linkseal adopt LINK once both ends have it",
    find: oneSided,
  },
  {
    code: "suite-mismatch",
    rule: "Both ends use the same cipher suite, and it is the one of the config",
    source: "IEEE 802.1X-2020 9.7: the key server chooses one suite that both ends support",
    next: portNext,
    find: suites,
  },
  {
    code: "sci-mismatch",
    rule: "Both ends agree whether each frame carries its SCI",
    source: `IEEE 802.1AE-2018 9.3 (SecTAG), and sciState in ${howTo}`,
    next: portNext,
    find: scis,
  },
  {
    code: "offset-mismatch",
    rule: "Frames are encrypted from their first octet: Azure documents no confidentiality offset",
    source: "IEEE 802.1AE-2018 14.6 (confidentialityOffset)",
    next: nextCommand,
    find: offsets,
  },
  {
    code: "policy-should-secure",
    rule: "The router never sends in the clear when MKA fails; Azure never does",
    source: about,
    next: nextCommand,
    find: policies,
  },
  {
    code: "drift",
    rule: "The port is set as the accepted config says",
    source: config,
    next: nextCommand,
    find: otherSettings,
  },
  {
    code: "admin-state-disabled",
    rule: "The link of the port is enabled",
    source: `${portModel}, links[].properties.adminState`,
    next: "enable the link in Azure when it may carry again",
    find: ({ peer, ...ends }) =>
      peer?.admin === "down" ? far(ends, "adminState Disabled") : undefined,
  },
  {
    code: "port-shut",
    rule: "The router's port is not shut",
    source: "IETF RFC 2863 (ifAdminStatus)",
    next: "open it on the router",
    find: ({ port, link }) =>
      port !== undefined && strongValue(port.admin) === "down"
        ? { here: `${router(link)} is shut`, there: null }
        : undefined,
  },
  {
    code: "far-end-failed",
    rule: "The last change of the port in Azure succeeded",
    source: `${portModel}, properties.provisioningState`,
    next: "look at the port's activity log in Azure, then linkseal ends LINK",
    find: failed,
  },
  {
    code: "far-end-updating",
    rule: "The port in Azure is settled before anything is concluded from it",
    source: `${portModel}, properties.provisioningState`,
    next: "wait for its operation to end",
    find: ({ peer, ...ends }) =>
      peer?.provisioning === "updating"
        ? far(ends, `provisioningState ${peer.details?.provisioning.port ?? "Updating"}`)
        : undefined,
  },
  {
    code: "xpn-on-slow-port",
    rule: "Ports of 10 Gbit/s support no XPN suite",
    source: howTo,
    next: "use gcm-aes-256 at both ends",
    alone: true,
    find: (ends) => xpnAt(ends, (gbps, isXpn) => gbps <= 10 && isXpn),
  },
  {
    code: "xpn-missing",
    rule: "From 40 Gbit/s on 32-bit packet numbers run out too fast: use an XPN suite",
    source: howTo,
    next: "use gcm-aes-xpn-256 at both ends",
    find: (ends) => xpnAt(ends, (gbps, isXpn) => gbps >= 40 && !isXpn),
  },
  {
    code: "speed-mismatch",
    rule: "The speed in the config is that of the port in Azure",
    source: `${portModel}, properties.bandwidthInGbps`,
    next: "correct speed in the config, then linkseal apply",
    alone: true,
    find: speeds,
  },
  {
    code: "suite-unsupported",
    rule: "The router supports the suite that the config wants",
    source: "linkseal driver list",
    next: "choose a suite that both ends offer, then linkseal apply",
    alone: true,
    find: unsupported,
  },
  {
    code: "cipher-unknown",
    rule: "The cipher is one of GcmAes128, GcmAes256, GcmAesXpn128 and GcmAesXpn256",
    source: `${portModel}, ExpressRouteLinkMacSecCipher`,
    next: portNext,
    alone: true,
    find: ({ peer, ...ends }) =>
      peer?.pointsAt !== undefined && peer.suite === undefined
        ? far(ends, `cipher ${peer.details?.cipher ?? "not set"}`)
        : undefined,
  },
  {
    code: "identity-missing",
    rule: "The port has a user-assigned identity that may get the two secrets",
    source: howTo,
    next: "assign the identity to the port, and give it get on secrets of the vault",
    alone: true,
    find: ({ peer, ...ends }) =>
      peer?.details?.identity === "missing" ? far(ends, "no user-assigned identity") : undefined,
  },
  {
    code: "identifier-incomplete",
    rule: "Both secret identifiers are set, or none",
    source: `${portModel}, ExpressRouteLinkMacSecConfig`,
    next: portNext,
    alone: true,
    find: incomplete,
  },
  {
    code: "identifier-foreign-vault",
    rule: "The far end takes its key from the vault of the config",
    source: config,
    next: "linkseal rotate GROUP, or correct azure.vault",
    alone: true,
    find: foreign,
  },
  {
    code: "identifier-versionless",
    rule: "A secret identifier names a version: without one, the key in use is unknown",
    source: secretModel,
    next: portNext,
    alone: true,
    find: versionless,
  },
  {
    code: "identifier-other-secret",
    rule: "The far end points at the two secrets that the config names for this link",
    source: config,
    next: "compare azureLink and key of the links in the config",
    alone: true,
    find: otherSecret,
  },
  {
    code: "lag-members",
    rule: "A link of a LAG has at least as many ports as it needs to carry",
    source: `${lagModel}, properties.minimumActivePortsRequired`,
    next: "add ports to the LAG, or lower minimumActivePortsRequired",
    alone: true,
    find: lagMembers,
  },
  {
    code: "extra-key",
    rule: "At rest a port holds one key",
    source: "docs/promises.md, P6",
    next: "linkseal rotation show GROUP",
    find: extraKey,
  },
];

/** Returns every contradiction between the two ends of a link. */
export function linkFindings(ends: TwoEnds): readonly Finding[] {
  return found(ends, rules);
}

/**
 * Returns the findings that only the rules know: `status` reports them as drift, `plan` as notes.
 */
export function driftFindings(ends: TwoEnds): readonly Finding[] {
  return found(
    ends,
    rules.filter(({ alone }) => alone),
  );
}

function found(ends: TwoEnds, asked: readonly LinkRule[]): readonly Finding[] {
  const id = linkId(ends.link);
  return asked.flatMap(({ code, rule, source, next, find }): Finding[] => {
    const observed = find(ends);
    if (observed === undefined) return [];
    const isLost = code === "macsec-one-sided" && hasLostKey(ends);
    const usual = next.replace("LINK", id).replace("GROUP", ends.link.group);
    const step = isLost ? lostKeyNext(ends.link, ends.peer) : usual;
    const severity = severityOf(code);
    return [{ code, severity, about: id, ...observed, rule, source, next: step }];
  });
}

/** Joins both sides of a finding in one line. */
export function sidesOf({ here, there }: Pick<Finding, "here" | "there">): string {
  return there === null ? here : `${here}, and ${there}`;
}

/** Every rule's code, for the explanations and for the test that triggers each rule. */
export const linkRuleCodes: readonly string[] = rules.map(({ code }) => code);

/** The router's end of a link, as findings name it. */
export function router({ device, port }: DesiredLink): string {
  return `${device} ${port}`;
}

/** The far end of a link, as findings name it. */
export function farEnd({ group, azureLink }: DesiredLink): string {
  return `${azureLink} of ${group}`;
}

function far({ link }: Pick<TwoEnds, "link">, what: string): Observed {
  return { here: `${farEnd(link)}: ${what}`, there: null };
}

/** The port's MACsec settings; undefined = unreadable or without MACsec. */
function settingsOf({ port }: TwoEnds): MacsecSettings | undefined {
  return port === undefined ? undefined : strongValue(port.settings);
}

const onOff = (on: boolean): string => (on ? "on" : "off");

function oneSided({ link, port, peer }: TwoEnds): Observed | undefined {
  const keys = port === undefined ? undefined : strongValue(port.keys);
  if (port?.settings.kind !== "known" || keys === undefined || peer === undefined) return undefined;
  const ours = port.settings.value !== undefined || keys.length > 0;
  const theirs = peer.pointsAt !== undefined;
  if (ours === theirs) return undefined;
  return {
    here: `${router(link)} has MACsec ${onOff(ours)}`,
    there: `${farEnd(link)} has MACsec ${onOff(theirs)}`,
  };
}

/** Returns true if the router has no MACsec on a link that is known with a key. */
function hasLostKey(ends: TwoEnds): boolean {
  return ends.accepted !== undefined && settingsOf(ends) === undefined;
}

function suites(ends: TwoEnds): Observed | undefined {
  const { link, peer } = ends;
  const ours = settingsOf(ends)?.suite;
  const theirs = peer?.pointsAt === undefined ? undefined : peer.suite;
  if (ours === undefined && theirs === undefined) return undefined;
  const wanted = link.settings.suite;
  if ((ours ?? wanted) === wanted && (theirs ?? wanted) === wanted) return undefined;
  if (ours !== undefined && theirs !== undefined && ours !== theirs) {
    return { here: `${router(link)} uses ${ours}`, there: `${farEnd(link)} uses ${theirs}` };
  }
  const [where, observed] =
    ours === wanted || ours === undefined ? [farEnd(link), theirs] : [router(link), ours];
  return { here: `${where} uses ${observed ?? "none"}`, there: `the config wants ${wanted}` };
}

function scis(ends: TwoEnds): Observed | undefined {
  const { link, peer } = ends;
  const ours = settingsOf(ends)?.includeSci ?? link.settings.includeSci;
  if (peer?.pointsAt === undefined || (peer.sci === "on") === ours) return undefined;
  const state = peer.sci === "on" ? "Enabled" : "Disabled";
  return {
    here: `${router(link)} has the SCI ${onOff(ours)}`,
    there: `${farEnd(link)} has sciState ${state}`,
  };
}

function offsets(ends: TwoEnds): Observed | undefined {
  const offset = settingsOf(ends)?.confidentialityOffset ?? 0;
  if (offset === 0) return undefined;
  return {
    here: `${router(ends.link)} leaves ${offset} octets of each frame readable`,
    there: `${farEnd(ends.link)} has no such setting`,
  };
}

function policies(ends: TwoEnds): Observed | undefined {
  if (settingsOf(ends)?.policy !== "shouldSecure") return undefined;
  return {
    here: `${router(ends.link)} is set to should-secure`,
    there: `${farEnd(ends.link)} drops what is in the clear`,
  };
}

/** Settings that have a rule of their own. */
const ownRules: readonly string[] = ["suite", "policy", "confidentialityOffset"];

function otherSettings(ends: TwoEnds): Observed | undefined {
  const observed = settingsOf(ends);
  if (observed === undefined) return undefined;
  const gaps = settingsGaps(ends.link.settings, observed).filter(
    ({ leaf }) => !ownRules.includes(leaf),
  );
  if (gaps.length === 0) return undefined;
  const words = (side: "observed" | "wanted"): string =>
    gaps.map((gap) => `${gap.leaf} ${gap[side]}`).join(", ");
  return {
    here: `${router(ends.link)} has ${words("observed")}`,
    there: `the config wants ${words("wanted")}`,
  };
}

function failed({ peer, ...ends }: TwoEnds): Observed | undefined {
  if (peer?.provisioning !== "failed") return undefined;
  const { failure } = peer.details ?? {};
  return far(ends, `provisioningState Failed${failure === undefined ? "" : ` (${failure})`}`);
}

function xpnAt(
  ends: TwoEnds,
  bad: (gbps: number, isXpn: boolean) => boolean,
): Observed | undefined {
  const { link, peer } = ends;
  const gbps = peer?.details?.bandwidthGbps ?? link.speedGbps;
  const theirs = peer?.pointsAt === undefined ? undefined : peer.suite;
  const used: readonly (readonly [string, CipherSuite | undefined])[] = [
    ["the config", link.settings.suite],
    [router(link), settingsOf(ends)?.suite],
    [farEnd(link), theirs],
  ];
  const bent = used.find(([, suite]) => suite !== undefined && bad(gbps, suite.includes("xpn")));
  if (bent === undefined) return undefined;
  const [where, suite] = bent;
  return {
    here: `${where} uses ${suite ?? ""}`,
    there: `${farEnd(link)} has ${gbps} Gbit/s`,
  };
}

function speeds({ link, peer }: TwoEnds): Observed | undefined {
  const gbps = peer?.details?.bandwidthGbps;
  if (gbps === undefined || gbps === link.speedGbps) return undefined;
  return {
    here: `the config says ${link.speedGbps} Gbit/s`,
    there: `${farEnd(link)} has ${gbps} Gbit/s`,
  };
}

function unsupported({ link, capabilities }: TwoEnds): Observed | undefined {
  if (capabilities === undefined) return undefined;
  const offered = capabilities.macsec?.suites ?? [];
  if (offered.includes(link.settings.suite)) return undefined;
  return {
    here: `${link.device} offers ${offered.join(", ") || "no MACsec"}`,
    there: `the config wants ${link.settings.suite}`,
  };
}

type Ids = NonNullable<PeerState["pointsAt"]>;

/** Both identifiers if both are set, else none. */
function wholeIds({ peer }: TwoEnds): readonly string[] {
  const ids: Partial<Ids> = peer?.pointsAt ?? {};
  const { cakSecretId = "", cknSecretId = "" } = ids;
  return cakSecretId === "" || cknSecretId === "" ? [] : [cakSecretId, cknSecretId];
}

function incomplete({ link, peer }: TwoEnds): Observed | undefined {
  const ids = peer?.pointsAt;
  if (ids === undefined || (ids.cakSecretId !== "" && ids.cknSecretId !== "")) return undefined;
  const missing = ids.cakSecretId === "" ? "cakSecretIdentifier" : "cknSecretIdentifier";
  return far({ link }, `${missing} is not set, the other one is`);
}

function foreign(ends: TwoEnds): Observed | undefined {
  const { link, vaultBase } = ends;
  if (vaultBase === undefined) return undefined;
  const other = wholeIds(ends).find((id) => !id.startsWith(`${vaultBase}/`));
  if (other === undefined) return undefined;
  return {
    here: `the config takes keys from ${vaultBase}`,
    there: `${farEnd(link)} points into ${/^https:\/\/[^/]+/.exec(other)?.[0] ?? "no vault"}`,
  };
}

const versioned = /^https:\/\/[^/]+\/secrets\/[0-9A-Za-z-]{1,127}\/[0-9A-Za-z]{1,64}$/;

function versionless(ends: TwoEnds): Observed | undefined {
  const bare = wholeIds(ends).find((id) => !versioned.test(id));
  return bare === undefined ? undefined : far(ends, `points at ${bare}, which names no version`);
}

function otherSecret(ends: TwoEnds): Observed | undefined {
  const { link, vaultBase, accepted, peer } = ends;
  // New names in the config are for the next key.
  if (accepted !== undefined && peer?.pointsAt?.cakSecretId === accepted.cakSecretId) {
    return undefined;
  }
  const names = wholeIds(ends).map((id) => /\/secrets\/([^/]+)/.exec(id)?.[1] ?? "");
  const wanted = [link.key.cak, link.key.ckn];
  const isOurs = foreign({ ...ends, vaultBase }) === undefined;
  if (names.length === 0 || !isOurs || names.every((name, i) => name === wanted[i])) {
    return undefined;
  }
  return {
    here: `the config names ${wanted.join(" and ")}`,
    there: `${farEnd(link)} points at ${names.join(" and ")}`,
  };
}

function lagMembers({ link, peer }: TwoEnds): Observed | undefined {
  const lag = peer?.details?.lag;
  if (lag === undefined || lag.members >= lag.least) return undefined;
  return far({ link }, `${lag.members} ports, of which ${lag.least} must carry`);
}

function extraKey({ link, port }: TwoEnds): Observed | undefined {
  const keys = port === undefined ? undefined : strongValue(port.keys);
  if (keys === undefined || keys.length < 2) return undefined;
  return { here: `${router(link)} holds ${keys.length} keys`, there: null };
}
