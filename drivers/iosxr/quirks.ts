// Differences between platforms and releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { dotted, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

const guide = "cisco.com, System Security Configuration Guide";

const noPlatform = /^(?!)/;

/** On other platforms a port has one key chain, and the session ends with the key that it used. */
const quirks: readonly Quirk<"fallbackChain" | "ipsec">[] = [
  {
    platform: /^(?:asr|a9k|a99)/,
    from: "7.10.1",
    what: "fallbackChain",
    source: `${guide} for ASR 9000, 7.10.x: fallback-psk-keychain`,
  },
  {
    platform: /^(?:ncs|n5[45]|nc55)/,
    from: "7.10.1",
    what: "fallbackChain",
    source: `${guide} for NCS 5500, 7.10.x: fallback-psk-keychain`,
  },
  {
    platform: /^8[0-9]{3}/,
    from: "7.10.1",
    what: "fallbackChain",
    source: `${guide} for Cisco 8000, 7.10.x: fallback-psk-keychain`,
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
  const overlap = has(platform, version, "fallbackChain") ? "fallback" : "none";
  return {
    ...always,
    ...(ipsec && has(platform, version, "ipsec") && { ipsec }),
    ...(macsec && { macsec: { ...macsec, overlap } }),
  };
}
