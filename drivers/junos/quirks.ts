// What differs from platform to platform and release to release: a row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import type { Software } from "./system-answers.ts";

interface Quirk {
  readonly platform: RegExp;
  /** First release that has it. */
  readonly from: string;
  readonly what: "hitlessKeyChain" | "ipsec";
  readonly source: string;
}

const rollover = "apps.juniper.net feature explorer, 7831: hitless rollover of key chains";

const secureTunnels = "juniper.net, CLI reference: security ike proposal, aes-256-gcm on SRX";

/** Elsewhere the session falls with the key that it used, so a port has one key at a time. */
const quirks: readonly Quirk[] = [
  { platform: /^acx7\d{3}/, from: "22.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10001-36mr/, from: "20.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10002-36qdd/, from: "24.2R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10004/, from: "20.4R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10008/, from: "20.3R1", what: "hitlessKeyChain", source: rollover },
  { platform: /^ptx10016/, from: "21.2R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^qfx5130/, from: "23.4R2", what: "hitlessKeyChain", source: rollover },
  { platform: /^qfx5700/, from: "23.4R2", what: "hitlessKeyChain", source: rollover },
  // An MX needs a service set on a card of its own, which is the operator's.
  { platform: /^v?srx/, from: "19.4R1", what: "ipsec", source: secureTunnels },
];

function has({ model, version }: Software, what: Quirk["what"]): boolean {
  return quirks.some(
    (row) => row.what === what && row.platform.test(model) && isSince(version, row.from),
  );
}

const releasePattern = /^(\d{2})\.(\d)(?:[RXF](\d{1,2}))?/;

function releaseOf(version: string): readonly number[] | undefined {
  const found = releasePattern.exec(version);
  return found === null ? undefined : found.slice(1, 4).map((part) => Number(part ?? 0));
}

function isSince(version: string, from: string): boolean {
  const [is, first] = [releaseOf(version), releaseOf(from)];
  if (is === undefined || first === undefined) return false;
  const at = is.findIndex((part, index) => part !== first[index]);
  return at < 0 || (is[at] ?? 0) > (first[at] ?? 0);
}

/** What is offered at most, less what this platform does not have. */
export function capabilitiesOf(offers: Capabilities, software: Software): Capabilities {
  const { macsec, ipsec, ...others } = offers;
  const overlap = has(software, "hitlessKeyChain") ? "keychain" : "none";
  return {
    ...others,
    ...(macsec && { macsec: { ...macsec, overlap } }),
    ...(ipsec && has(software, "ipsec") && { ipsec }),
  };
}
