// Differences between platforms and releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { matched, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

const rollover =
  "apps.juniper.net feature explorer, 7831: hitless rollover of key chains, Junos Evolved alone";
const secureTunnels = "juniper.net, CLI reference: security ike proposal, aes-256-gcm on SRX";
const yang = "Juniper/yang, junos-conf-security";
const advanced = "juniper.net, Configuring Advanced MACsec Features";

/**
 * From this release on each leaf that is written exists: key chains came with 18.1R1, extended
 * packet numbers with 19.3R1, and the SAK rekey interval with 20.1R1.
 */
const wholeSince = "20.1R1";

/**
 * A platform that no row names, such as a virtual one, is only observed. What the cards of a
 * chassis support is not known: an MPC7E-10G has no extended packet numbers.
 */
const quirks: readonly Quirk<"macsec" | "ipsec">[] = [
  { platform: /^mx\d/, from: wholeSince, what: "macsec", source: `${advanced}; ${yang} of 24.4R1` },
  { platform: /^ptx1/, from: wholeSince, what: "macsec", source: `${yang} of 23.4R1-EVO` },
  { platform: /^acx7\d{3}/, from: wholeSince, what: "macsec", source: `${yang} of 23.4R1-EVO` },
  { platform: /^qfx\d/, from: wholeSince, what: "macsec", source: `${yang} of 22.4R1, qfx` },
  { platform: /^srx\d/, from: wholeSince, what: "macsec", source: `${yang} of 22.4R1, junos-es` },
  // An MX needs a service set on a card of its own, which the operator configures.
  { platform: /^v?srx/, from: "19.4R1", what: "ipsec", source: secureTunnels },
];

/** On other platforms the session ends with the key that it used, so a port has one at a time. */
const rollovers: readonly Quirk<"hitlessKeyChain">[] = [
  { platform: /^acx7100-32c/, from: "22.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10001-36mr/, from: "20.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10002-36qdd/, from: "24.2R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10004/, from: "20.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10008/, from: "20.3R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10016/, from: "21.2R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^qfx5130-48cm/, from: "23.4R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^qfx5700e?$/, from: "23.4R2", what: "hitlessKeyChain", source: rollover },
];

const releaseOf = matched(/^(\d{2})\.(\d)(?:[RXF](\d{1,2}))?/);
const has = quirksIn(quirks, releaseOf, false);
const hasRollover = quirksIn(rollovers, releaseOf, false);
const isEvolved = (version: string): boolean => /-EVO$/i.test(version);

/** Returns what Junos offers at most, less what this platform lacks. */
export function capabilitiesOf(offers: Capabilities, { model, version }: Software): Capabilities {
  const { macsec, ipsec, ...others } = offers;
  const isHitless = isEvolved(version) && hasRollover(model, version, "hitlessKeyChain");
  const overlap = isHitless ? "keychain" : "none";
  return {
    ...others,
    ...(macsec && has(model, version, "macsec") && { macsec: { ...macsec, overlap } }),
    ...(ipsec && has(model, version, "ipsec") && { ipsec }),
  };
}
