// Shows every link and tunnel as a row: verdict, path, values, and why it is not protected.

import { type ComponentChild, h } from "preact";
import { keysText } from "../model/ckn-text.ts";
import type { PageLink, PageTunnel } from "../page/shape.ts";
import { badge } from "./glyph.ts";
import { frameRates, type History, last, rates } from "./history.ts";
import { fragmentOf, type Moment, plannedNow, type Selected, verdictNow } from "./model.ts";
import { fact, pathPicture, reasonList } from "./pieces.ts";
import { Row } from "./row.ts";
import { ageText, daysText, percentText, rateText } from "./words.ts";

export interface RowParts {
  readonly moment: Moment;
  readonly history: History;
  /** `short` = one line each, for large sites. */
  readonly form: "full" | "short";
  /** Kind and id of what is shown in detail. */
  readonly chosen: string;
}

/** Shows the newest rate of a counter; an outdated snapshot has none. */
function rateNow(parts: RowParts, lines: ReturnType<typeof rates>, line: number): string {
  return rateText(parts.moment.isStale ? null : last(lines, line));
}

type LinkHere = Extract<Selected, { kind: "link" }>;
type TunnelHere = Extract<Selected, { kind: "tunnel" }>;

export function linkRow(here: LinkHere, parts: RowParts): ComponentChild {
  const { id, status } = here;
  const { moment, form } = parts;
  const { verdict, reasons, ckn, keyInUse, mka, device, port, azureLink, drained } = status;
  const keys = [ckn, keyInUse];
  const planned = plannedNow(moment.snapshot, here) !== null;
  const shown = [planned, verdict, reasons, keys, mka, device, port, azureLink, drained];
  return row({ here, shown, parts }, () => {
    const now = verdictNow(verdict, moment);
    const seal = badge(now, { was: moment.isStale ? verdict : undefined, planned });
    if (form === "short") return [seal, ...shortLink(here, parts)];
    const ends = {
      near: [device, port],
      far: ["MSEE", `${azureLink} of ${id.split("/")[0] ?? ""}`],
      kind: "link",
      planned,
      note: drained === true ? "drained" : null,
    } as const;
    return [
      seal,
      pathPicture(ends, now),
      linkFacts(id, status, parts),
      reasonList(reasons, "reasons"),
    ];
  });
}

/** The rest of a row of one line: why it is not protected, else where it is. */
function shortLink({ id, status }: LinkHere, parts: RowParts): readonly ComponentChild[] {
  const { moment, history } = parts;
  const lines = frameRates(status.newest === null ? [] : history.ofLink(id).slice(-2));
  const loud = [1, 2].flatMap((line) => {
    const rate = moment.isStale ? null : last(lines, line);
    return rate === null || rate === 0
      ? []
      : [`${rateText(rate)} ${line === 1 ? "clear" : "failed"}`];
  });
  return [
    shortNote(status, `${status.device} ${status.port}`),
    loud.length === 0
      ? h("span", { class: "short-rate" }, rateNow(parts, lines, 0))
      : h("b", { class: "short-rate loud" }, loud.join(", ")),
    h("span", { class: "short-key" }, keyAgeText(status, moment)),
  ];
}

function shortNote({ reasons }: Selected["status"], place: string): ComponentChild {
  const [first] = reasons;
  const text = first === undefined ? place : noteText(first);
  return h("span", { class: "short-note", title: text }, text);
}

function noteText({ text, because }: Selected["status"]["reasons"][number]): string {
  return because === undefined ? text : `because of ${because.about} (${because.code})`;
}

function linkFacts(id: string, status: PageLink, parts: RowParts): ComponentChild {
  const { moment, history } = parts;
  const samples = status.newest === null ? [] : history.ofLink(id).slice(-2);
  const lines = frameRates(samples);
  const { ages, mka } = status;
  const router = ageText(ages.controlPlaneMs, moment.ageMs);
  const farEnd = ageText(ages.farEndMs, moment.ageMs);
  return h(
    "dl",
    { class: "facts" },
    fact("protected", rateNow(parts, lines, 0)),
    fact("clear", rateNow(parts, lines, 1), warnAbove(last(lines, 1))),
    fact("failed", rateNow(parts, lines, 2), warnAbove(last(lines, 2))),
    fact("MKA peers", mka === null ? "not known" : String(mka.livePeers)),
    fact("key", keyText(status, moment)),
    fact("last read", `router ${router}, far end ${farEnd}`),
  );
}

function warnAbove(rate: number | null): string {
  return rate !== null && rate > 0 ? "loud" : "";
}

/** An outdated observation does not show which key is in use. */
export function keyText(link: PageLink, { now, isStale }: Moment): string {
  const { ckn, keyInUse } = link;
  const seen = { ckn, keyInUse: isStale ? null : keyInUse };
  return keysText(seen, `, ${keyAgeText(link, { now })}`) ?? "none known";
}

function keyAgeText({ keyCreatedAt, keyMaxAgeMs }: PageLink, { now }: Pick<Moment, "now">): string {
  const age = keyCreatedAt === null ? "age not known" : daysText(now - keyCreatedAt);
  return `${age}${keyMaxAgeMs === null ? "" : ` of ${daysText(keyMaxAgeMs)}`}`;
}

export function tunnelRow(here: TunnelHere, parts: RowParts): ComponentChild {
  const { id, status } = here;
  const { moment, form } = parts;
  const { verdict, reasons, device, local, remote, insideMacsec, ike, saCount } = status;
  const planned = plannedNow(moment.snapshot, here) !== null;
  const shown = [planned, verdict, reasons, device, local, remote, insideMacsec, ike, saCount];
  return row({ here, shown, parts }, () => {
    const now = verdictNow(verdict, moment);
    const seal = badge(now, { was: moment.isStale ? verdict : undefined, planned });
    if (form === "short") return [seal, ...shortTunnel(here, parts)];
    const ends = {
      near: [device, local],
      far: ["gateway", remote],
      kind: "tunnel",
      planned,
      note: insideMacsec === null ? null : `inside ${insideMacsec}`,
    } as const;
    return [
      seal,
      pathPicture(ends, now),
      tunnelFacts(id, status, parts),
      reasonList(reasons, "reasons"),
    ];
  });
}

function shortTunnel({ id, status }: TunnelHere, parts: RowParts): ComponentChild[] {
  const lines = tunnelRates(id, status, parts);
  return [
    shortNote(status, `${status.device} to ${status.remote}`),
    h("span", { class: "short-rate" }, rateNow(parts, lines, 0)),
    h("span", { class: "short-key" }, `IKE ${status.ike ?? "not known"}`),
  ];
}

function tunnelRates(id: string, { newest }: PageTunnel, { history }: RowParts) {
  const samples = newest === null ? [] : history.ofTunnel(id);
  return rates(samples.slice(-2), [(s) => s.received, (s) => s.sent]);
}

function tunnelFacts(name: string, tunnel: PageTunnel, parts: RowParts): ComponentChild {
  const lines = tunnelRates(name, tunnel, parts);
  const { ike, saCount, newest } = tunnel;
  return h(
    "dl",
    { class: "facts of-tunnel" },
    fact("received", rateNow(parts, lines, 0)),
    fact("sent", rateNow(parts, lines, 1)),
    fact("IKE", ike ?? "not known"),
    fact("SAs", String(saCount ?? "not known")),
    fact("packet numbers used", percentText(newest?.sequenceUsed ?? null)),
  );
}

interface RowContent {
  readonly here: Selected;
  readonly parts: RowParts;
  /** The row's content apart from ages and rates. */
  readonly shown: readonly unknown[];
}

function row(
  { here: { kind, id, status }, parts, shown }: RowContent,
  draw: () => readonly [seal: ComponentChild, ...rest: ComponentChild[]],
): ComponentChild {
  const { chosen, form, moment } = parts;
  const isChosen = chosen === `${kind} ${id}`;
  const current = isChosen ? { "aria-current": "true" as const } : {};
  return h(Row, {
    key: id,
    about: id,
    form,
    isChosen,
    gist: JSON.stringify([isChosen, form, moment.isStale, ...shown]),
    draw: () => {
      const [seal, ...rest] = draw();
      const name = form === "short" ? id : status.name;
      const link = h("a", { href: fragmentOf(kind, id), ...current }, name);
      return [h("div", { class: "title" }, seal, link), ...rest];
    },
  });
}
