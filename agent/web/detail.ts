// Shows one link or tunnel in detail: its plots, its keys, its counters.

import { type ComponentChild, h } from "preact";
import { explanations, filledText, type StepNames } from "../explain/explain.ts";
import { badge } from "./glyph.ts";
import { frameRates, type History, type Lines, last, rates, values } from "./history.ts";
import { type Moment, type Selected, verdictNow } from "./model.ts";
import { fact, reasonList } from "./pieces.ts";
import { Plot, type PlotLine } from "./plot.ts";
import { keyText } from "./rows.ts";
import { ageText, countText, percentText, rateText, shortCkn } from "./words.ts";

interface DetailProps {
  readonly selected: Selected;
  readonly moment: Moment;
  readonly history: History;
}

export function Detail({ selected, moment, history }: DetailProps): ComponentChild {
  const { id, kind, status } = selected;
  const verdict = verdictNow(status.verdict, moment);
  return h(
    "section",
    { class: "card detail", "aria-labelledby": "detail" },
    h(
      "header",
      null,
      h("h2", { id: "detail" }, h("span", { class: "kind" }, `${kind} `), id),
      badge(verdict, moment.isStale ? status.verdict : undefined),
    ),
    reasonList(status.reasons),
    ...status.reasons.map(({ code }) => stepList(code, namesOf(id, kind))),
    selected.kind === "link"
      ? linkDetail(selected, moment, history)
      : tunnelDetail(selected, moment, history),
  );
}

function namesOf(id: string, kind: Selected["kind"]): StepNames {
  return kind === "tunnel" ? { TUNNEL: id } : { "GROUP/LINK": id, GROUP: id.split("/")[0] ?? id };
}

/** Shows what to do about a code; `linkseal links` has the commands of routers and Azure. */
function stepList(code: string, names: StepNames): ComponentChild {
  const explanation = explanations.get(code);
  if (explanation === undefined) return null;
  const steps = explanation.whatToDo.map((text) => h("li", null, filledText(text, names)));
  return h(
    "details",
    { key: code, class: "steps" },
    h("summary", null, `What to do: ${explanation.title}`),
    h("ol", null, steps),
  );
}

const short = (value: number): string =>
  value >= 10_000 ? `${Math.round(value / 1_000)} k` : String(Math.round(value * 10) / 10);
const percent = (value: number): string => `${Math.round(value * 1_000) / 10} %`;

function line(name: string, colour: string, dash: readonly number[], now: string): PlotLine {
  return { name, colour, dash, now };
}

function rateLine(
  lines: Lines,
  index: number,
  { isStale }: Moment,
  [name, colour, dash]: readonly [string, string, readonly number[]],
): PlotLine {
  return line(name, colour, dash, rateText(isStale ? null : last(lines, index)));
}

function linkDetail(
  { id, status, link }: Extract<Selected, { kind: "link" }>,
  moment: Moment,
  history: History,
): ComponentChild {
  const samples = history.links.get(id) ?? [];
  const now = moment.now / 1_000;
  const frames = frameRates(samples);
  const numbers = values(samples, (s) => s.pnUsed);
  const peers = values(samples, (s) => s.livePeers);
  const newest = moment.isStale ? null : (link?.newest ?? null);
  const peersNow = newest?.livePeers ?? null;
  const plots = h(
    "div",
    { class: "plots" },
    h(Plot, {
      title: "Frames, both ways",
      lines: [
        rateLine(frames, 0, moment, ["protected", "line-good", []]),
        rateLine(frames, 1, moment, ["clear", "line-bad", [7, 4]]),
        rateLine(frames, 2, moment, ["failed", "line-odd", [2, 3]]),
      ],
      ...{ data: frames, now, least: 10, tick: short },
    }),
    h(Plot, {
      title: "Packet numbers used",
      lines: [line("of this SAK", "line-good", [], percentText(newest?.pnUsed ?? null))],
      ...{ data: numbers, now, least: 0.01, tick: percent },
    }),
    h(Plot, {
      title: "MKA live peers",
      lines: [line("now", "line-good", [], peersNow === null ? "not known" : String(peersNow))],
      ...{
        data: peers,
        now,
        least: 2,
        tick: (value: number) => (value % 1 === 0 ? String(value) : ""),
      },
    }),
  );
  return h("div", null, plots, linkFacts(status, link, moment));
}

type LinkParts = Extract<Selected, { kind: "link" }>;

function linkFacts(
  status: LinkParts["status"],
  link: LinkParts["link"],
  moment: Moment,
): ComponentChild {
  const { mka, frames, ages } = status;
  const keys = link?.keys ?? null;
  return h(
    "dl",
    { class: "facts many" },
    fact("suite in use", status.suite ?? "none or not known"),
    fact("controlled port", link?.controlledPort ?? "not known"),
    fact("key server", mka?.keyServer ?? "not known"),
    fact("key", keyText(status, link, moment)),
    fact("accepted version", status.keyVersion ?? "none known"),
    fact("next key", status.keyNext === null ? "none" : shortCkn(status.keyNext)),
    fact("keys on the port", keys === null ? "not known" : keysText(keys)),
    fact("BGP", link?.bgp ?? "not known"),
    fact("traffic", drainText(link?.drained ?? null)),
    fact("control plane", ageText(ages.controlPlaneMs, moment.ageMs)),
    fact("data plane", ageText(ages.dataPlaneMs, moment.ageMs)),
    fact("far end", ageText(ages.farEndMs, moment.ageMs)),
    fact("received protected", countText(frames?.rxOk ?? null)),
    fact("sent protected", countText(frames?.txProtected ?? null)),
    fact("received clear", countText(frames?.rxClear ?? null)),
    fact("not valid", countText(frames?.rxNotValid ?? null)),
  );
}

function keysText(keys: readonly { readonly ckn: string; readonly role: string }[]): string {
  if (keys.length === 0) return "none";
  return keys.map(({ ckn, role }) => `${shortCkn(ckn)} (${role})`).join(", ");
}

function drainText(drained: boolean | null): string {
  if (drained === null) return "not known";
  return drained ? "drained" : "on this link";
}

function tunnelDetail(
  { id, status, tunnel }: Extract<Selected, { kind: "tunnel" }>,
  moment: Moment,
  history: History,
): ComponentChild {
  const samples = history.tunnels.get(id) ?? [];
  const now = moment.now / 1_000;
  const packets = rates(samples, [(s) => s.received, (s) => s.sent]);
  const numbers = values(samples, (s) => s.sequenceUsed);
  const used = moment.isStale ? null : (tunnel?.newest?.sequenceUsed ?? null);
  const plots = h(
    "div",
    { class: "plots" },
    h(Plot, {
      title: "Packets",
      lines: [
        rateLine(packets, 0, moment, ["received", "line-good", []]),
        rateLine(packets, 1, moment, ["sent", "line-odd", [7, 4]]),
      ],
      ...{ data: packets, now, least: 10, tick: short },
    }),
    h(Plot, {
      title: "Life of the SA: sequence numbers used",
      lines: [line("of the SA that has used most", "line-good", [], percentText(used))],
      ...{ data: numbers, now, least: 0.01, tick: percent },
    }),
  );
  const gateway =
    status.azure === null
      ? "not asked"
      : `${status.azure.connection}, ${ageText(status.azure.ageMs, moment.ageMs)}`;
  const facts = h(
    "dl",
    { class: "facts many" },
    fact("device", tunnel?.device ?? "not known"),
    fact("local", tunnel?.local ?? "not known"),
    fact("remote", tunnel?.remote ?? "not known"),
    fact("IKE", tunnel?.ike ?? "not known"),
    fact("SAs", tunnel?.sas === null ? "not known" : String(tunnel?.sas ?? "not known")),
    fact("inside the MACsec of", tunnel?.insideMacsec ?? "no group"),
    fact("gateway reports", gateway),
  );
  return h("div", null, plots, facts);
}
