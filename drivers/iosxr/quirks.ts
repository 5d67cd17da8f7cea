// Differences between platforms and releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { dotted, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

const guide = "cisco.com, System Security Configuration Guide";

const noPlatform = /^(?!)/;

const asr9000 = /^(?:asr|a9k|a99)/;
const ncs = /^(?:ncs-?5[45]|n5[45]|nc55)/;
const cisco8000 = /^8[0-9]{3}/;
const fallback = "7.10.x: fallback-psk-keychain";

/**
 * A platform that no row has MACsec for, such as a virtual one, is only observed. Without a row for
 * a fallback chain a port has one key chain, and the session ends with the key that it used.
 */
const quirks: readonly Quirk<"macsec" | "fallbackChain" | "ipsec">[] = [
  { platform: asr9000, from: "0", what: "macsec", source: `${guide} for ASR 9000` },
  { platform: ncs, from: "0", what: "macsec", source: `${guide} for NCS 5500 and NCS 540` },
  { platform: cisco8000, from: "0", what: "macsec", source: `${guide} for Cisco 8000` },
  {
    platform: asr9000,
    from: "7.10.1",
    what: "fallbackChain",
    source: `${guide} for ASR 9000, ${fallback}`,
  },
  {
    platform: ncs,
    from: "7.10.1",
    what: "fallbackChain",
    source: `${guide} for NCS 5500, ${fallback}`,
  },
  {
    platform: cisco8000,
    from: "7.10.1",
    what: "fallbackChain",
    source: `${guide} for Cisco 8000, ${fallback}`,
  },
  {
    // The IPsec of these routers protects their own packets, and none that they forward.
    platform: noPlatform,
    from: "0",
    what: "ipsec",
    source: `${guide} for NCS 540: IPsec protects management traffic of the router itself`,
  },
];

const has = quirksIn(quirks, dotted, false);

/** Returns what IOS XR offers at most, less what this platform lacks. */
export function capabilitiesOf(
  offers: Capabilities,
  { platform, version }: Software,
): Capabilities {
  const { macsec, ipsec, ...always } = offers;
  // A key stays in the chain that it came to: Cisco advises against a change of both at once.
  const overlap = has(platform, version, "fallbackChain") ? "keychain" : "none";
  return {
    ...always,
    ...(ipsec && has(platform, version, "ipsec") && { ipsec }),
    ...(macsec && has(platform, version, "macsec") && { macsec: { ...macsec, overlap } }),
  };
}
