// Differences between releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { matched, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

/**
 * A model that no row has MACsec for, such as a virtual one, is only observed. MACsec with a static
 * key came with 4.15.4; when fallback keys, extended packet numbers and the policy for unprotected
 * traffic came is not published.
 */
const quirks: readonly Quirk<"macsec" | "ipsec">[] = [
  {
    platform: /^dcs-7/i,
    from: "4.21.8",
    what: "macsec",
    source: "aristanetworks/avd, which needs EOS 4.21.8M: mac_security.profiles, with all of these",
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
    ...(macsec && has(model, version, "macsec") && { macsec }),
    ...(ipsec && has(model, version, "ipsec") && { ipsec }),
  };
}
