// Shows every link and tunnel as a row: verdict, path, values, and why it is not protected.

import { type ComponentChild, h } from "preact";
import { keysText } from "../model/ckn-text.ts";
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
import { Row } from "./row.ts";
import { ageText, daysText, percentText, rateText } from "./words.ts";

export interface RowParts {
  readonly moment: Moment;
  readonly history: History;
  /** Kind and id of what is shown in detail. */
  readonly chosen: string;
}

/** Shows the newest rate of a counter; an outdated snapshot has none. */
function rateNow(parts: RowParts, lines: ReturnType<typeof rates>, line: number): string {
  return rateText(parts.moment.isStale ? null : last(lines, line));
}

export function linkRow(
  group: string,
  status: StatusLink,
  link: PageLink | undefined,
  parts: RowParts,
): ComponentChild {
  const { moment, chosen } = parts;
  const id = `${group}/${status.name}`;
  const { verdict, reasons, ckn, keyInUse, mka, device, port } = status;
  const { azureLink = "", drained = null } = link ?? {};
  const keys = [ckn, keyInUse];
  const shown = [moment.isStale, verdict, reasons, keys, mka, device, port, azureLink, drained];
  return row({ kind: "link", id, name: status.name, chosen, shown }, () => {
    const now = verdictNow(verdict, moment);
    const ends = {
      near: [device, port],
      far: ["MSEE", `${azureLink} of ${group}`],
      kind: "link",
      note: drained === true ? "drained" : null,
    } as const;
    return [
      badge(now, moment.isStale ? verdict : undefined),
      pathPicture(ends, now),
      linkFacts(id, status, link, parts),
      reasonList(reasons),
    ];
  });
}

function linkFacts(
  id: string,
  status: StatusLink,
  link: PageLink | undefined,
  parts: RowParts,
): ComponentChild {
  const { moment, history } = parts;
  const samples = link?.newest === null ? [] : (history.links.get(id) ?? []).slice(-2);
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
    fact("key", keyText(status, link, moment)),
    fact("last read", `router ${router}, far end ${farEnd}`),
  );
}

function warnAbove(rate: number | null): string {
  return rate !== null && rate > 0 ? "loud" : "";
}

/** An outdated observation does not show which key is in use. */
export function keyText(
  { ckn, keyInUse }: StatusLink,
  link: PageLink | undefined,
  { now, isStale }: Moment,
): string {
  const { keyCreatedAt = null, keyMaxAgeMs = null } = link ?? {};
  const age = keyCreatedAt === null ? "age not known" : daysText(now - keyCreatedAt);
  const most = keyMaxAgeMs === null ? "" : ` of ${daysText(keyMaxAgeMs)}`;
  const seen = { ckn, keyInUse: isStale ? null : keyInUse };
  return keysText(seen, `, ${age}${most}`) ?? "none known";
}

export function tunnelRow(
  status: StatusTunnel,
  tunnel: PageTunnel | undefined,
  parts: RowParts,
): ComponentChild {
  const { moment, chosen } = parts;
  const { name, verdict, reasons } = status;
  const { device = "", local = "", remote = "", insideMacsec = null } = tunnel ?? {};
  const { ike = null, sas = null } = tunnel ?? {};
  const shown = [moment.isStale, verdict, reasons, device, local, remote, insideMacsec, ike, sas];
  return row({ kind: "tunnel", id: name, name, chosen, shown }, () => {
    const now = verdictNow(verdict, moment);
    const ends = {
      near: [device, local],
      far: ["gateway", remote],
      kind: "tunnel",
      note: insideMacsec === null ? null : `inside ${insideMacsec}`,
    } as const;
    return [
      badge(now, moment.isStale ? verdict : undefined),
      pathPicture(ends, now),
      tunnelFacts(name, tunnel, parts),
      reasonList(reasons),
    ];
  });
}

function tunnelFacts(
  name: string,
  tunnel: PageTunnel | undefined,
  parts: RowParts,
): ComponentChild {
  const samples = tunnel?.newest === null ? [] : (parts.history.tunnels.get(name) ?? []);
  const lines = rates(samples.slice(-2), [(s) => s.received, (s) => s.sent]);
  const { ike = null, sas = null, newest = null } = tunnel ?? {};
  return h(
    "dl",
    { class: "facts of-tunnel" },
    fact("received", rateNow(parts, lines, 0)),
    fact("sent", rateNow(parts, lines, 1)),
    fact("IKE", ike ?? "not known"),
    fact("SAs", sas === null ? "not known" : String(sas)),
    fact("packet numbers used", percentText(newest?.sequenceUsed ?? null)),
  );
}

interface RowName {
  readonly kind: "link" | "tunnel";
  readonly id: string;
  readonly name: string;
  readonly chosen: string;
  /** The row's content apart from ages and rates. */
  readonly shown: readonly unknown[];
}

function row(
  { kind, id, name, chosen, shown }: RowName,
  draw: () => readonly [seal: ComponentChild, ...rest: ComponentChild[]],
): ComponentChild {
  const isChosen = chosen === `${kind} ${id}`;
  const current = isChosen ? { "aria-current": "true" as const } : {};
  return h(Row, {
    key: id,
    about: id,
    isChosen,
    gist: JSON.stringify([isChosen, ...shown]),
    draw: () => {
      const [seal, ...rest] = draw();
      const link = h("a", { href: fragmentOf(kind, id), ...current }, name);
      return [h("div", { class: "title" }, seal, link), ...rest];
    },
  });
}
