// Differences between platforms and releases: one row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import { dotted, type Quirk, quirksIn } from "../platform/quirks.ts";
import type { Software } from "./system-parsers.ts";

const guide = "cisco.com, Nexus 9000 Series NX-OS Security Configuration Guide: Configuring MACsec";

const fixed = /^(?:c93240yc-fx2|c9336c-fx2|c93108tc-fx|c93180yc-fx)$/;
const modular = /^c95(?:04|08|16)$/;

/**
 * A platform that no row has MACsec for, such as a virtual one, is only observed. A port of a line
 * card without MACsec refuses the line that attaches it. The guide has fallback keys from the same
 * release on.
 */
const quirks: readonly Quirk<"macsec">[] = [
  { platform: fixed, from: "9.2.1", what: "macsec", source: `${guide}: supported switches` },
  { platform: modular, from: "9.2.1", what: "macsec", source: `${guide}: X9732C-EXM, X9736C-FX` },
];

const has = quirksIn(quirks, dotted, false);

/** Returns what NX-OS offers at most, less what this switch lacks or has not turned on. */
export function capabilitiesOf(
  offers: Capabilities,
  { platform, version }: Software,
  isOn: boolean,
): Capabilities {
  const { macsec: _, ...always } = offers;
  return isOn && has(platform, version, "macsec") ? offers : always;
}
