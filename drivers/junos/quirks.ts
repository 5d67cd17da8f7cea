// Differences between platforms and releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { matched, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

const rollover = "apps.juniper.net feature explorer, 7831: hitless rollover of key chains";

const secureTunnels = "juniper.net, CLI reference: security ike proposal, aes-256-gcm on SRX";

/**
 * On other platforms the session ends with the key that it used, so a port has one key at a time.
 */
const quirks: readonly Quirk<"hitlessKeyChain" | "ipsec">[] = [
  { platform: /^acx7\d{3}/, from: "22.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10001-36mr/, from: "20.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10002-36qdd/, from: "24.2R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10004/, from: "20.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10008/, from: "20.3R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10016/, from: "21.2R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^qfx5130/, from: "23.4R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^qfx5700/, from: "23.4R2", what: "hitlessKeyChain", source: rollover },
  // An MX needs a service set on a card of its own, which the operator configures.
  { platform: /^v?srx/, from: "19.4R1", what: "ipsec", source: secureTunnels },
];

const has = quirksIn(quirks, matched(/^(\d{2})\.(\d)(?:[RXF](\d{1,2}))?/), false);

/** Returns what Junos offers at most, less what this platform lacks. */
export function capabilitiesOf(offers: Capabilities, { model, version }: Software): Capabilities {
  const { macsec, ipsec, ...others } = offers;
  const overlap = has(model, version, "hitlessKeyChain") ? "keychain" : "none";
  return {
    ...others,
    ...(macsec && { macsec: { ...macsec, overlap } }),
    ...(ipsec && has(model, version, "ipsec") && { ipsec }),
  };
}
