// What differs from release to release: a row each, with its source.

import type { Capabilities } from "#hal/device.ts";
import type { Software } from "./system-answers.ts";

interface Quirk {
  /** First release that has it. */
  readonly from: string;
  /** Of the model; absent = all of them. */
  readonly model?: RegExp;
  readonly what: "macsecByStaticKeys" | "ipsec";
  readonly source: string;
}

const quirks: readonly Quirk[] = [
  {
    from: "4.15.4",
    what: "macsecByStaticKeys",
    source: "arista.com TOI of 2016-06-29: MACsec with static keys was added in EOS 4.15.4",
  },
  {
    from: "4.27.1",
    model: /^(?:awe-|veos|cloudeos)/i,
    what: "ipsec",
    source: "arista.com, CloudEOS and vEOS Router Configuration Guide 4.27.1F: ip security",
  },
];

function releaseOf(version: string): readonly number[] | undefined {
  const found = /^(\d{1,2})\.(\d{1,3})(?:\.(\d{1,3}))?/.exec(version);
  return found === null ? undefined : found.slice(1, 4).map((part) => Number(part ?? 0));
}

/** A release that is not understood is taken for one of today's. */
function isSince(version: string, from: string): boolean {
  const [is, first] = [releaseOf(version), releaseOf(from)];
  if (is === undefined || first === undefined) return true;
  const at = is.findIndex((part, index) => part !== first[index]);
  return at < 0 || (is[at] ?? 0) > (first[at] ?? 0);
}

/** What is offered at most, less what this release does not have. */
export function capabilitiesOf(offers: Capabilities, software: Software): Capabilities {
  const { macsec, ipsec, ...others } = offers;
  const has = (what: Quirk["what"]): boolean =>
    quirks.some(
      (row) =>
        row.what === what &&
        isSince(software.version, row.from) &&
        row.model?.test(software.model) !== false,
    );
  return {
    ...others,
    ...(macsec && has("macsecByStaticKeys") && { macsec }),
    ...(ipsec && has("ipsec") && { ipsec }),
  };
}
