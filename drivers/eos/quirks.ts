// Differences between releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { matched, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

const quirks: readonly Quirk<"macsecByStaticKeys" | "ipsec">[] = [
  {
    platform: /^/,
    from: "4.15.4",
    what: "macsecByStaticKeys",
    source: "arista.com TOI of 2016-06-29: MACsec with static keys was added in EOS 4.15.4",
  },
  {
    from: "4.27.1",
    platform: /^(?:awe-|veos|cloudeos)/i,
    what: "ipsec",
    source: "arista.com, CloudEOS and vEOS Router Configuration Guide 4.27.1F: ip security",
  },
];

/** A release that is not understood counts as a current one. */
const has = quirksIn(quirks, matched(/^(\d{1,2})\.(\d{1,3})(?:\.(\d{1,3}))?/), true);

/** Returns what EOS offers at most, less what this release lacks. */
export function capabilitiesOf(offers: Capabilities, { model, version }: Software): Capabilities {
  const { macsec, ipsec, ...others } = offers;
  return {
    ...others,
    ...(macsec && has(model, version, "macsecByStaticKeys") && { macsec }),
    ...(ipsec && has(model, version, "ipsec") && { ipsec }),
  };
}
