// Every link and tunnel as a row: verdict, path, figures, and why it is not protected.

import { type ComponentChild, h } from "preact";
import type { PageLink, PageTunnel } from "../page/shape.ts";
import { badge } from "./glyph.ts";
import { frameRates, type History, last, rates } from "./history.ts";
import {
  fragmentOf,
  type Moment,
  type StatusLink,
  type StatusTunnel,
  verdictNow,
} from "./model.ts";
import { fact, pathPicture, reasonList } from "./pieces.ts";
import { daysText, percentText, rateText, shortCkn, spanText } from "./words.ts";

export interface RowParts {
  readonly moment: Moment;
  readonly history: History;
  /** Kind and id of what is shown in detail. */
  readonly chosen: string;
}

/** What was last seen of a counter, as a rate; of what is not told any more there is none. */
function rateNow(parts: RowParts, lines: ReturnType<typeof rates>, line: number): string {
  return rateText(parts.moment.isStale ? null : last(lines, line));
}

export function linkRow(
  group: string,
  status: StatusLink,
  link: PageLink | undefined,
  parts: RowParts,
): ComponentChild {
  const { moment, history, chosen } = parts;
  const id = `${group}/${status.name}`;
  const verdict = verdictNow(status.verdict, moment);
  const samples = link?.newest === null ? [] : (history.links.get(id) ?? []).slice(-2);
  const lines = frameRates(samples);
  const { ages } = status;
  const path = pathPicture(
    {
      near: [status.device, status.port],
      far: ["MSEE", `${link?.azureLink ?? ""} of ${group}`],
      kind: "link",
      note: link?.drained === true ? "drained" : null,
    },
    verdict,
  );
  const facts = h(
    "dl",
    { class: "facts" },
    fact("protected", rateNow(parts, lines, 0)),
    fact("clear", rateNow(parts, lines, 1), warnAbove(last(lines, 1))),
    fact("failed", rateNow(parts, lines, 2), warnAbove(last(lines, 2))),
    fact("MKA peers", status.mka === null ? "not known" : String(status.mka.livePeers)),
    fact("key", keyText(status, link, moment)),
    fact(
      "seen, ago",
      `router ${seenText(ages.controlPlaneMs, moment)}, far end ${seenText(ages.farEndMs, moment)}`,
    ),
  );
  return row({ kind: "link", id, name: status.name, chosen }, [
    badge(verdict, moment.isStale ? status.verdict : undefined),
    path,
    facts,
    reasonList(status.reasons),
  ]);
}

function seenText(ms: number | null, { ageMs }: Moment): string {
  return ms === null ? "never" : spanText(ms + ageMs);
}

function warnAbove(rate: number | null): string {
  return rate !== null && rate > 0 ? "loud" : "";
}

export function keyText(status: StatusLink, link: PageLink | undefined, { now }: Moment): string {
  if (status.ckn === null) return "none known";
  const { keyCreatedAt = null, keyMaxAgeMs = null } = link ?? {};
  const age = keyCreatedAt === null ? "age not known" : daysText(now - keyCreatedAt);
  const most = keyMaxAgeMs === null ? "" : ` of ${daysText(keyMaxAgeMs)}`;
  return `${shortCkn(status.ckn)}, ${age}${most}`;
}

export function tunnelRow(
  status: StatusTunnel,
  tunnel: PageTunnel | undefined,
  parts: RowParts,
): ComponentChild {
  const { moment, history, chosen } = parts;
  const { name } = status;
  const verdict = verdictNow(status.verdict, moment);
  const samples = tunnel?.newest === null ? [] : (history.tunnels.get(name) ?? []).slice(-2);
  const lines = rates(samples, [(s) => s.received, (s) => s.sent]);
  const path = pathPicture(
    {
      near: [tunnel?.device ?? "", tunnel?.local ?? ""],
      far: ["gateway", tunnel?.remote ?? ""],
      kind: "tunnel",
      note: tunnel?.insideMacsec === null ? null : `inside ${tunnel?.insideMacsec ?? ""}`,
    },
    verdict,
  );
  const facts = h(
    "dl",
    { class: "facts of-tunnel" },
    fact("received", rateNow(parts, lines, 0)),
    fact("sent", rateNow(parts, lines, 1)),
    fact("IKE", tunnel?.ike ?? "not known"),
    fact("SAs", tunnel?.sas === null ? "not known" : String(tunnel?.sas ?? "not known")),
    fact("numbers used", percentText(tunnel?.newest?.sequenceUsed ?? null)),
  );
  return row({ kind: "tunnel", id: name, name, chosen }, [
    badge(verdict, moment.isStale ? status.verdict : undefined),
    path,
    facts,
    reasonList(status.reasons),
  ]);
}

interface RowName {
  readonly kind: "link" | "tunnel";
  readonly id: string;
  readonly name: string;
  readonly chosen: string;
}

function row(
  { kind, id, name, chosen }: RowName,
  [seal, path, facts, why]: ComponentChild[],
): ComponentChild {
  const isChosen = chosen === `${kind} ${id}`;
  return h(
    "li",
    { key: id, class: isChosen ? "row chosen" : "row", "data-about": id },
    h(
      "div",
      { class: "title" },
      seal,
      h("a", { href: fragmentOf(kind, id), ...(isChosen ? { "aria-current": "true" } : {}) }, name),
    ),
    path,
    facts,
    why,
  );
}
