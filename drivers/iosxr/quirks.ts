// What differs from platform to platform and release to release: a row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import type { Software } from "./system-answers.ts";

interface Quirk {
  readonly platform: RegExp;
  /** First release that has it. */
  readonly from: string;
  readonly what: "fallbackChain" | "ipsec";
  readonly source: string;
}

const guide = "cisco.com, System Security Configuration Guide";

const nobody = /^(?!)/;

/** Elsewhere a port has one key chain, and the session falls with the key that it used. */
const quirks: readonly Quirk[] = [
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
    // What IPsec these routers have protects packets of their own, and none that they forward.
    platform: nobody,
    from: "0",
    what: "ipsec",
    source: `${guide} for NCS 540: IPsec protects management traffic of the router itself`,
  },
];

function isSince(version: string, from: string): boolean {
  const [is, first] = [version, from].map((one) => one.split(".").map(Number));
  const at = is?.findIndex((part, index) => part !== first?.[index]) ?? 0;
  return at < 0 || (is?.[at] ?? 0) > (first?.[at] ?? 0);
}

function has({ platform, version }: Software, what: Quirk["what"]): boolean {
  return quirks.some(
    (row) => row.what === what && row.platform.test(platform) && isSince(version, row.from),
  );
}

/** What is offered at most, less what this platform does not have. */
export function capabilitiesOf(offers: Capabilities, software: Software): Capabilities {
  const { macsec, ipsec, ...always } = offers;
  const overlap = has(software, "fallbackChain") ? "fallback" : "none";
  return {
    ...always,
    ...(ipsec && has(software, "ipsec") && { ipsec }),
    ...(macsec && { macsec: { ...macsec, overlap } }),
  };
}
