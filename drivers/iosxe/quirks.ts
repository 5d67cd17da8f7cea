// Differences between platforms and releases: one row each, with its source.

import type { Capabilities, MacsecCapabilities, ShutForKey } from "#hal/device.ts";
import type { Command } from "#hal/secret.ts";
import { dotted, type Quirk, quirksIn } from "../platform/quirks.ts";
import { line } from "../transport/cli.ts";
import type { Software } from "./system-parsers.ts";

type Had =
  | "macsec"
  /** Keys of 256 bits. */
  | "long"
  | "fallbackChain"
  | "disableSci"
  | "ssciBySci"
  | "networkLink"
  | "ipsec"
  /** MACsec is removed only from a port that is no member of a port channel. */
  | "memberKeepsMacsec";

/**
 * Under extended packet numbers a change of the key, its name or the suite leaves entries of old
 * association numbers behind: three rekeys later the link carries nothing for as long as a SAK is
 * used, and so on for ever. Cisco advises to shut the port first. No release is known in which it
 * is repaired. Source: Cisco bug CSCvt33018, as published.
 */
export const shutForKey: ShutForKey = {
  suites: ["gcm-aes-xpn-128", "gcm-aes-xpn-256"],
  bug: "Cisco bug CSCvt33018",
};

const router = /^(?:asr|c8[0-9]|isr|c11)/;
const catalyst = /^c9[0-9]{3}/;
const yang = "YangModels/yang, vendor/cisco/xe";
const wan = "cisco.com, MACsec and MKA Configuration Guide, IOS XE: WAN MACsec";
const catalysts = "cisco.com, Troubleshoot MACsec on Catalyst 9000 (216849)";

/** A platform that no row has MACsec for, such as a virtual one, is only observed. */
const quirks: readonly Quirk<Had>[] = [
  { platform: /^(?:asr10|c85)/, from: "0", what: "macsec", source: `${wan} on ASR 1000, C8500` },
  { platform: /^c9[2-6]/, from: "0", what: "macsec", source: catalysts },
  { platform: /^(?:asr10|c85)/, from: "0", what: "long", source: wan },
  // A Catalyst 9200 has keys of 128 bits alone.
  { platform: /^c9[3-6]/, from: "0", what: "long", source: catalysts },
  {
    // No guide of a platform describes it: whether each has it is inferred.
    platform: /^/,
    from: "17.12.1",
    what: "fallbackChain",
    source: `${yang}: fallback-key-chain in Cisco-IOS-XE-mka of 2023-07-01, not in that of 17.9.1`,
  },
  {
    platform: router,
    from: "17.12.1",
    what: "disableSci",
    source: `${yang}: disable-sci in Cisco-IOS-XE-ethernet of 2023-07-01`,
  },
  {
    platform: router,
    from: "17.12.1",
    what: "ssciBySci",
    source: `${yang}: ssci-based-on-sci in Cisco-IOS-XE-mka of 2023-07-01`,
  },
  {
    platform: /^c95/,
    from: "17.3.1",
    what: "ssciBySci",
    source: "cisco.com, Security Configuration Guide for Catalyst 9500, 17.3.x: ssci-based-on-sci",
  },
  {
    platform: /^c9[36]/,
    from: "17.10.1",
    what: "ssciBySci",
    source: "cisco.com, Security Guide for Catalyst 9300, 9500, 9600, 17.10.x: ssci-based-on-sci",
  },
  {
    platform: catalyst,
    from: "0",
    what: "networkLink",
    source: "cisco.com, Security Configuration Guide for Catalyst 9500: macsec network-link",
  },
  {
    platform: catalyst,
    from: "0",
    what: "memberKeepsMacsec",
    source:
      "cisco.com, Security Configuration Guide for Catalyst 9500, 17.3.x: restrictions for MACsec",
  },
  {
    platform: router,
    from: "16.12.1",
    what: "ipsec",
    source: "cisco.com, FlexVPN and IKEv2 Configuration Guide: encryption aes-gcm-256, prf sha384",
  },
];

const hasQuirk = quirksIn(quirks, dotted, false);

const has = ({ platform, version }: Software, what: Had): boolean =>
  hasQuirk(platform, version, what);

/** Returns the command that turns MACsec on at a port. */
export function enablingOf(software: Software): Command {
  return has(software, "networkLink") ? line`macsec network-link` : line`macsec`;
}

/** Returns whether the first MACsec of a member of a port channel could not be taken back. */
export function keepsOnMember(software: Software): boolean {
  return has(software, "memberKeepsMacsec");
}

/** Returns what IOS XE offers at most, less what this router lacks or is not configured for. */
export function capabilitiesOf(
  offers: Capabilities,
  software: Software,
  hasArchive: boolean,
): Capabilities {
  const { macsec, ipsec, ...always } = offers;
  const others = { ...always, ...(ipsec && has(software, "ipsec") && { ipsec }) };
  // The timer that reverts a change uses a copy in the archive.
  const { commit } = hasArchive ? others : { commit: { kind: "immediate" } as const };
  if (macsec === undefined || !has(software, "macsec")) return { ...others, commit };
  return { ...others, commit, macsec: macsecOf(macsec, software) };
}

function macsecOf(macsec: MacsecCapabilities, software: Software): MacsecCapabilities {
  // Cisco's guides for Catalyst 9000: keys of 256 bits and XPN need Network Advantage.
  const isLong = has(software, "long") && software.licence !== "essentials";
  const hasXpn = has(software, "ssciBySci") && isLong;
  const always = macsec.always ?? [];
  return {
    ...macsec,
    overlap: has(software, "fallbackChain") ? macsec.overlap : "none",
    suites: macsec.suites.filter(
      (suite) => (hasXpn || !suite.includes("xpn")) && (isLong || !suite.endsWith("256")),
    ),
    always: has(software, "disableSci") ? always : [...always, "includeSci"],
  };
}
