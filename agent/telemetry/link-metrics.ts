// Metrics of links: 802.1X and 802.1AE by their own names, MKA, keys, BGP, and the far end's light.

import type { MacsecFrames, MacsecPort, MkaSession, MkpduCounters } from "#hal/model.ts";
import { strongValue } from "#hal/model.ts";
import { pnLimitOf } from "../health/frames.ts";
import { verdictOrder } from "../model/health.ts";
import { drainOf } from "../model/link-view.ts";
import { flag, type MetricRow, oneOf, type Sample } from "./metric.ts";
import { type LinkSnapshot, type Snapshot, told } from "./snapshot.ts";

const linkLabels = ["group", "link"] as const;

function* ofLinks(
  { links }: Snapshot,
  read: (link: LinkSnapshot) => Iterable<Sample>,
): Generator<Sample> {
  for (const link of links) yield* read(link);
}

function idOf({ link }: LinkSnapshot): readonly string[] {
  return [link.group, link.name];
}

/** One figure a link; undefined = nobody knows, and then there is no series. */
function* figure(
  link: LinkSnapshot,
  value: number | bigint | undefined,
  ...labels: readonly string[]
): Generator<Sample> {
  if (value !== undefined) yield [[...idOf(link), ...labels], value];
}

/** A port that its device was asked for and does not list has none of it: 0, and not unknown. */
function zeroIfAbsent<T>(
  { state, port }: LinkSnapshot,
  read: (port: MacsecPort) => T | undefined,
): T | 0 | undefined {
  if (port !== undefined) return read(port);
  return state === undefined ? undefined : 0;
}

function session(link: LinkSnapshot): MkaSession | undefined {
  return told(link.port?.session);
}

/** By the names that IEEE 802.1AE gives them. */
const secyCounters = [
  ["in_pkts_ok", "rxOk", "Frames received and validated (InPktsOK)."],
  ["in_pkts_not_valid", "rxNotValid", "Frames that failed validation (InPktsNotValid)."],
  ["in_pkts_untagged", "rxClear", "Data frames received without a SecTAG (InPktsUntagged)."],
  ["in_pkts_bad_tag", "rxBadTag", "Frames with a SecTAG that is none (InPktsBadTag)."],
  ["in_pkts_late", "rxLate", "Frames outside of the replay window (InPktsLate)."],
  ["in_pkts_no_sci", "rxNoSci", "Frames discarded for the lack of an SCI (InPktsNoSCI)."],
  ["in_pkts_unknown_sci", "rxUnknownSci", "Frames of an SCI that is not known (InPktsUnknownSCI)."],
  ["in_pkts_not_using_sa", "rxNotUsingSa", "Frames of an SA not in use (InPktsNotUsingSA)."],
  ["in_pkts_unused_sa", "rxUnusedSa", "Frames let pass on an unused SA (InPktsUnusedSA)."],
  ["out_pkts_protected", "txProtected", "Frames sent under MACsec (OutPktsProtected, -Encrypted)."],
  ["out_pkts_untagged", "txClear", "Data frames sent without a SecTAG (OutPktsUntagged)."],
  ["out_pkts_too_long", "txTooLong", "Frames too long once protected (OutPktsTooLong)."],
] as const satisfies readonly (readonly [string, Exclude<keyof MacsecFrames, "nextPn">, string])[];

type SecyName = `linkseal_macsec_${(typeof secyCounters)[number][0]}_total`;

const secyRows = secyCounters.map(
  ([name, counter, help]): MetricRow<SecyName> => ({
    name: `linkseal_macsec_${name}_total`,
    kind: "counter",
    help,
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) => figure(link, told(link.port?.frames)?.[counter])),
  }),
);

const refusals = [
  ["icv", "icvFailed"],
  ["unknown_ckn", "unknownCkn"],
  ["replayed", "replayed"],
] as const satisfies readonly (readonly [string, keyof MkpduCounters])[];

const mkaRows = [
  {
    name: "linkseal_mka_live_peers",
    kind: "gauge",
    help: "Live peers of the MKA session; a link of two ends has one.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) =>
        figure(
          link,
          zeroIfAbsent(link, ({ session: read }) => strongValue(read)?.livePeers),
        ),
      ),
  },
  {
    name: "linkseal_mka_responded_peers",
    kind: "gauge",
    help: "Live peers that list this port as live themselves.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) =>
        figure(
          link,
          zeroIfAbsent(link, ({ session: read }) => strongValue(read)?.respondedPeers),
        ),
      ),
  },
  {
    name: "linkseal_mka_key_server",
    kind: "gauge",
    help: "Which end is key server: 1 for that one.",
    labels: [...linkLabels, "end"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const server = session(link)?.keyServer;
        if (server !== undefined) yield* oneOf(idOf(link), ["self", "peer", "none"], server);
      }),
  },
  {
    name: "linkseal_mka_controlled_port",
    kind: "gauge",
    help: "The controlled port (802.1X): 1 for the state that it is in.",
    labels: [...linkLabels, "state"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const state = session(link)?.controlledPort;
        if (state === undefined) return;
        yield* oneOf(idOf(link), ["secured", "unprotected", "blocked"], state);
      }),
  },
  {
    name: "linkseal_mka_mkpdus_sent_total",
    kind: "counter",
    help: "MKPDUs sent.",
    labels: linkLabels,
    read: (snapshot) => ofLinks(snapshot, (link) => figure(link, told(link.port?.mkpdus)?.sent)),
  },
  {
    name: "linkseal_mka_mkpdus_received_total",
    kind: "counter",
    help: "MKPDUs received.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) => figure(link, told(link.port?.mkpdus)?.received)),
  },
  {
    name: "linkseal_mka_mkpdus_refused_total",
    kind: "counter",
    help: "MKPDUs that were not taken: a wrong ICV, a CKN that is not known, an old MN.",
    labels: [...linkLabels, "reason"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const mkpdus = told(link.port?.mkpdus);
        for (const [reason, counter] of refusals) yield* figure(link, mkpdus?.[counter], reason);
      }),
  },
] as const satisfies readonly MetricRow[];

/** Part of the packet numbers of the SAK in use; undefined = nobody knows. */
export function pnUsedRatio({ frames, liveSuite }: MacsecPort): number | undefined {
  const next = strongValue(frames)?.nextPn;
  const suite = strongValue(liveSuite);
  if (next === undefined || suite === undefined) return undefined;
  return Number(next) / Number(pnLimitOf(suite));
}

const macsecRows = [
  {
    name: "linkseal_macsec_next_pn",
    kind: "gauge",
    help: "Next packet number of the transmitting SA.",
    labels: linkLabels,
    read: (snapshot) => ofLinks(snapshot, (link) => figure(link, told(link.port?.frames)?.nextPn)),
  },
  {
    name: "linkseal_macsec_pn_used_ratio",
    kind: "gauge",
    help: "Part of the packet numbers of the SAK that is used; at 1 the port stops sending.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) => {
        return link.port === undefined ? [] : figure(link, pnUsedRatio(link.port));
      }),
  },
] as const satisfies readonly MetricRow[];

const portRows = [
  {
    name: "linkseal_port_up",
    kind: "gauge",
    help: "1 = our port has a link; absent = nobody knows.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) => {
        const up = zeroIfAbsent(link, ({ linkUp }) => strongValue(linkUp));
        return figure(link, up === undefined ? undefined : Number(up));
      }),
  },
  {
    name: "linkseal_port_rate_bytes_per_second",
    kind: "gauge",
    help: "Rate of our port, as the device measures it.",
    labels: [...linkLabels, "direction"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const rate = told(link.port?.rate);
        if (rate === undefined) return;
        yield* figure(link, rate.rxBps / 8, "in");
        yield* figure(link, rate.txBps / 8, "out");
      }),
  },
  {
    name: "linkseal_port_drained",
    kind: "gauge",
    help: "1 = traffic is moved away from the link; absent = nobody knows.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) => {
        const { state } = link;
        if (state === undefined || strongValue(state.routing) === undefined) return [];
        return figure(link, flag(drainOf(state, link.link.port) === "on"));
      }),
  },
  {
    name: "linkseal_bgp_sessions",
    kind: "gauge",
    help: "BGP sessions over the link by their state.",
    labels: [...linkLabels, "state"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const sessions = told(link.state?.routing)?.sessions;
        if (sessions === undefined) return;
        const own = sessions.filter(({ port }) => port === link.link.port);
        yield* figure(link, own.filter(({ up }) => up).length, "up");
        yield* figure(link, own.filter(({ up }) => !up).length, "down");
      }),
  },
  {
    name: "linkseal_far_end_power_dbm",
    kind: "gauge",
    help: "Light at the Microsoft end, as Azure tells it minutes later.",
    labels: [...linkLabels, "direction"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const { azure } = link.status;
        yield* figure(link, azure?.rxDbm ?? undefined, "in");
        yield* figure(link, azure?.txDbm ?? undefined, "out");
      }),
  },
] as const satisfies readonly MetricRow[];

const ownRows = [
  {
    name: "linkseal_link_info",
    kind: "gauge",
    help: "What the accepted intent says of the link; always 1.",
    labels: [...linkLabels, "device", "port", "azure_link", "suite"],
    read: (snapshot) =>
      ofLinks(snapshot, (link) => {
        const { device, port, azureLink, settings } = link.link;
        return figure(link, 1, device, port, azureLink, settings.suite);
      }),
  },
  {
    name: "linkseal_link_verdict",
    kind: "gauge",
    help: "The verdict on each link of the accepted intent: 1 for the one that stands.",
    labels: [...linkLabels, "verdict"],
    read: (snapshot) =>
      ofLinks(snapshot, (link) => oneOf(idOf(link), verdictOrder, link.status.verdict)),
  },
  {
    name: "linkseal_link_reading_age_seconds",
    kind: "gauge",
    help: "Age of the newest reading of control plane, data plane and far end.",
    labels: [...linkLabels, "plane"],
    read: (snapshot) =>
      ofLinks(snapshot, function* (link) {
        const { controlPlaneMs, dataPlaneMs, farEndMs } = link.status.ages;
        const ages = { control: controlPlaneMs, data: dataPlaneMs, far_end: farEndMs };
        for (const [plane, ms] of Object.entries(ages)) {
          yield* figure(link, ms === null ? undefined : ms / 1_000, plane);
        }
      }),
  },
  {
    name: "linkseal_key_managed",
    kind: "gauge",
    help: "1 = the link runs on a key that linkseal knows; 0 = enrol or adopt it.",
    labels: linkLabels,
    read: (snapshot) => ofLinks(snapshot, (link) => figure(link, flag(link.status.ckn !== null))),
  },
  {
    name: "linkseal_key_in_use",
    kind: "gauge",
    help: "Which key MKA uses: 1 for that one; absent = not known.",
    labels: [...linkLabels, "key"],
    read: (snapshot) =>
      ofLinks(snapshot, (link) => {
        const { ckn, keyNext, keyInUse } = link.status;
        if (keyInUse === null) return [];
        const used = keyInUse === ckn ? "accepted" : keyInUse === keyNext ? "next" : "other";
        return oneOf(idOf(link), ["accepted", "next", "other"], used);
      }),
  },
  {
    name: "linkseal_key_created_timestamp_seconds",
    kind: "gauge",
    help: "When the vault made the CAK version of the accepted key.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) =>
        figure(link, link.keyCreated === undefined ? undefined : link.keyCreated / 1_000),
      ),
  },
  {
    name: "linkseal_key_max_age_seconds",
    kind: "gauge",
    help: "The age from which on the key is too old (rotate.maxAge); absent = any.",
    labels: linkLabels,
    read: (snapshot) =>
      ofLinks(snapshot, (link) => {
        const { maxAgeMs } = link.group.rotate;
        return figure(link, maxAgeMs === undefined ? undefined : maxAgeMs / 1_000);
      }),
  },
] as const satisfies readonly MetricRow[];

/** In the order of the reference. */
export const linkMetrics = [...ownRows, ...portRows, ...mkaRows, ...macsecRows, ...secyRows];
