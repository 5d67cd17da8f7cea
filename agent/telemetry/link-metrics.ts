// Metrics of links: 802.1X and 802.1AE by their own names, MKA, keys, BGP, and light at the far
// end.

import type { MacsecFrames, MacsecPort, MkaSession, MkpduCounters } from "#hal/model.ts";
import { strongValue } from "#hal/model.ts";
import { pnLimitOf } from "../health/frames.ts";
import { verdictOrder } from "../model/health.ts";
import type { SiteLink } from "../runtime/health/site-snapshot.ts";
import { type Figure, flag, type MetricRow, metricsOf, seconds } from "./metric.ts";

const { one, several, state } = metricsOf(
  ["group", "link"],
  ({ links }) => links,
  ({ link }: SiteLink) => [link.group, link.name],
);

/** Returns 0, and not undefined, for a port that an observed device does not list. */
function zeroIfAbsent<T>(
  { state, port }: SiteLink,
  read: (port: MacsecPort) => T | undefined,
): T | 0 | undefined {
  if (port !== undefined) return read(port);
  return state === undefined ? undefined : 0;
}

function session(link: SiteLink): MkaSession | undefined {
  return strongValue(link.port?.session);
}

/** The names that IEEE 802.1AE gives to the counters. */
const secyCounters = [
  ["in_pkts_ok", "rxOk", "Frames received and validated (InPktsOK)."],
  [
    "in_octets_validated",
    "rxOctetsValidated",
    "Octets received authenticated and not encrypted (InOctetsValidated).",
  ],
  ["in_octets_decrypted", "rxOctetsDecrypted", "Octets received encrypted (InOctetsDecrypted)."],
  ["in_pkts_not_valid", "rxNotValid", "Frames that failed validation (InPktsNotValid)."],
  ["in_pkts_untagged", "rxClear", "Data frames received without a SecTAG (InPktsUntagged)."],
  ["in_pkts_bad_tag", "rxBadTag", "Frames with an invalid SecTAG (InPktsBadTag)."],
  ["in_pkts_late", "rxLate", "Frames outside of the replay window (InPktsLate)."],
  ["in_pkts_no_sci", "rxNoSci", "Frames discarded for the lack of an SCI (InPktsNoSCI)."],
  ["in_pkts_unknown_sci", "rxUnknownSci", "Frames of an SCI that is not known (InPktsUnknownSCI)."],
  ["in_pkts_not_using_sa", "rxNotUsingSa", "Frames of an SA not in use (InPktsNotUsingSA)."],
  ["in_pkts_unused_sa", "rxUnusedSa", "Frames let pass on an unused SA (InPktsUnusedSA)."],
  [
    "out_pkts_protected",
    "txProtected",
    "Frames sent encrypted (OutPktsEncrypted; on Linux OutPktsProtected too).",
  ],
  ["out_pkts_untagged", "txClear", "Data frames sent without a SecTAG (OutPktsUntagged)."],
  ["out_pkts_too_long", "txTooLong", "Frames too long once protected (OutPktsTooLong)."],
] as const satisfies readonly (readonly [string, Exclude<keyof MacsecFrames, "nextPn">, string])[];

type SecyName = `linkseal_macsec_${(typeof secyCounters)[number][0]}_total`;

const secyRows = secyCounters.map(
  ([name, counter, help]): MetricRow<SecyName> =>
    one(`linkseal_macsec_${name}_total`, help, ({ port }) => strongValue(port?.frames)?.[counter]),
);

const refusals = [
  ["icv", "icvFailed"],
  ["unknown_ckn", "unknownCkn"],
  ["replayed", "replayed"],
] as const satisfies readonly (readonly [string, keyof MkpduCounters])[];

const mkaRows = [
  one(
    "linkseal_mka_live_peers",
    "Live peers of the MKA session; a link of two ends has one.",
    (link) => zeroIfAbsent(link, ({ session: read }) => strongValue(read)?.livePeers),
  ),
  one(
    "linkseal_mka_responded_peers",
    "Live peers that list this port as live themselves.",
    (link) => zeroIfAbsent(link, ({ session: read }) => strongValue(read)?.respondedPeers),
  ),
  state(
    "linkseal_mka_key_server",
    "end",
    "Which end is key server: 1 for that one.",
    ["self", "peer", "none"],
    (link) => session(link)?.keyServer,
  ),
  state(
    "linkseal_mka_controlled_port",
    "state",
    "The controlled port (802.1X): 1 for the state that it is in.",
    ["secured", "unprotected", "blocked"],
    (link) => session(link)?.controlledPort,
  ),
  one(
    "linkseal_mka_mkpdus_sent_total",
    "MKPDUs sent.",
    ({ port }) => strongValue(port?.mkpdus)?.sent,
  ),
  one(
    "linkseal_mka_mkpdus_received_total",
    "MKPDUs received.",
    ({ port }) => strongValue(port?.mkpdus)?.received,
  ),
  several(
    "linkseal_mka_mkpdus_refused_total",
    ["reason"],
    "MKPDUs that were not accepted: a wrong ICV, a CKN that is not known, an old MN.",
    ({ port }) =>
      refusals.map(([reason, counter]) => [[reason], strongValue(port?.mkpdus)?.[counter]]),
  ),
] as const;

/**
 * Returns the used share of the packet numbers of the SAK in use, 0 to 1; undefined = not known.
 */
export function pnUsedRatio({ frames, liveSuite }: MacsecPort): number | undefined {
  const next = strongValue(frames)?.nextPn;
  const suite = strongValue(liveSuite);
  if (next === undefined || suite === undefined) return undefined;
  return Number(next) / Number(pnLimitOf(suite));
}

const macsecRows = [
  one(
    "linkseal_macsec_next_pn",
    "Next packet number of the transmitting SA.",
    ({ port }) => strongValue(port?.frames)?.nextPn,
  ),
  one(
    "linkseal_macsec_pn_used_ratio",
    "Part of the packet numbers of the SAK that is used; at 1 the port stops sending.",
    ({ port }) => (port === undefined ? undefined : pnUsedRatio(port)),
  ),
] as const;

const portRows = [
  one("linkseal_port_up", "1 = our port has a link; absent = not known.", (link) => {
    const up = zeroIfAbsent(link, ({ linkUp }) => strongValue(linkUp));
    return up === undefined ? undefined : Number(up);
  }),
  several(
    "linkseal_port_rate_bytes_per_second",
    ["direction"],
    "Rate of our port, as the device measures it.",
    ({ port }) => {
      const rate = strongValue(port?.rate);
      return rate === undefined ? [] : bothWays(rate.rxBps / 8, rate.txBps / 8);
    },
  ),
  one(
    "linkseal_port_drained",
    "1 = traffic is moved away from the link; absent = not known.",
    ({ isDrained }) => (isDrained === undefined ? undefined : flag(isDrained)),
  ),
  several(
    "linkseal_bgp_sessions",
    ["state"],
    "BGP sessions over the link by their state.",
    ({ sessions }) => {
      if (sessions === undefined) return [];
      const up = sessions.filter((each) => each.up).length;
      return [
        [["up"], up],
        [["down"], sessions.length - up],
      ];
    },
  ),
  several(
    "linkseal_far_end_power_dbm",
    ["direction"],
    "Light at the Microsoft end, as Azure reports it minutes later.",
    ({ status: { azure } }) => bothWays(azure?.rxDbm ?? undefined, azure?.txDbm ?? undefined),
  ),
] as const;

function bothWays(received: Figure, sent: Figure) {
  return [
    [["in"], received],
    [["out"], sent],
  ] as const;
}

const ownRows = [
  several(
    "linkseal_link_info",
    ["device", "port", "azure_link", "suite"],
    "What the accepted intent says about the link; always 1.",
    ({ link: { device, port, azureLink, settings } }) => [
      [[device, port, azureLink, settings.suite], 1],
    ],
  ),
  state(
    "linkseal_link_verdict",
    "verdict",
    "The verdict on each link of the accepted intent: 1 for the present one.",
    verdictOrder,
    ({ status }) => status.verdict,
  ),
  several(
    "linkseal_link_reading_age_seconds",
    ["plane"],
    "Age of the newest reading of control plane, data plane and far end.",
    ({ status: { ages } }) => [
      [["control"], seconds(ages.controlPlaneMs)],
      [["data"], seconds(ages.dataPlaneMs)],
      [["far_end"], seconds(ages.farEndMs)],
    ],
  ),
  one(
    "linkseal_key_managed",
    "1 = the link runs on a key that linkseal knows; 0 = enrol or adopt it.",
    ({ status }) => flag(status.ckn !== null),
  ),
  state(
    "linkseal_key_in_use",
    "key",
    "Which key MKA uses: 1 for that one; absent = not known.",
    ["accepted", "next", "other"],
    ({ status: { ckn, keyNext, keyInUse } }) => {
      if (keyInUse === null) return undefined;
      return keyInUse === ckn ? "accepted" : keyInUse === keyNext ? "next" : "other";
    },
  ),
  one(
    "linkseal_key_created_timestamp_seconds",
    "When the vault made the CAK version of the accepted key.",
    ({ keyCreated }) => seconds(keyCreated),
  ),
  one(
    "linkseal_key_max_age_seconds",
    "The age from which on the key is too old (rotate.maxAge); absent = any.",
    ({ group }) => seconds(group.rotate.maxAgeMs),
  ),
] as const;

/** All metrics of links, in the order of the reference. */
export const linkMetrics = [...ownRows, ...portRows, ...mkaRows, ...macsecRows, ...secyRows];
