// Shows one link or tunnel in detail: its plots, its keys, its counters.

import { type ComponentChild, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { explanations, filledText, type StepNames } from "../explain/explain.ts";
import type { PageLink } from "../page/shape.ts";
import { dayStrip } from "./day-strip.ts";
import { badge } from "./glyph.ts";
import {
  frameRates,
  type History,
  type KeptDay,
  type Lines,
  last,
  rates,
  values,
} from "./history.ts";
import {
  type Connection,
  fragmentOf,
  type Moment,
  plannedNow,
  type Selected,
  verdictNow,
  workText,
} from "./model.ts";
import { fact, reasonList } from "./pieces.ts";
import { Plot, type PlotLine } from "./plot.ts";
import { keyText } from "./rows.ts";
import { ageText, countText, percentText, rateText, shortCkn } from "./words.ts";

export interface DetailProps {
  readonly selected: Selected;
  readonly moment: Moment;
  readonly connection: Connection;
  readonly history: History;
  /** Reads a day of the agent, such as `link/GROUP/LINK`; resolves to undefined without one. */
  readonly readDay: (path: string) => Promise<unknown>;
}

/** Lengths of the time axis, in seconds. */
const spans = { "1 h": 3_600, "24 h": 86_400 } as const;
type SpanName = keyof typeof spans;
const dayEveryMs = 120_000;

export function Detail(props: DetailProps): ComponentChild {
  const { selected, moment, history } = props;
  const { id, kind, status } = selected;
  const verdict = verdictNow(status.verdict, moment);
  const planned = plannedNow(moment.snapshot, selected);
  const [spanName, setSpan] = useState<SpanName>("1 h");
  useDay(props);
  const parts = { moment, history, span: spans[spanName] };
  return h(
    "section",
    { class: "card detail", "aria-labelledby": "detail" },
    h(
      "header",
      null,
      h("h2", { id: "detail" }, h("span", { class: "kind" }, `${kind} `), id),
      badge(verdict, {
        was: moment.isStale ? status.verdict : undefined,
        planned: planned !== null,
      }),
    ),
    planned === null ? null : h("p", { class: "planned-note" }, `Planned: ${workText(planned)}.`),
    reasonList(status.reasons),
    ...status.reasons.map(({ code }) => stepList(code, namesOf(id, kind))),
    dayStrip(history.day(kind, id)),
    spanButtons(spanName, setSpan),
    selected.kind === "link" ? linkDetail(selected, parts) : tunnelDetail(selected, parts),
  );
}

/** Reads the day of what is shown: at once, with each new connection, and for each new slot. */
function useDay({ selected, connection, history, readDay }: DetailProps): void {
  const { kind, id } = selected;
  const [, setCount] = useState(0);
  useEffect(() => {
    let isOver = false;
    const read = async (): Promise<void> => {
      const day = await readDay(fragmentOf(kind, id).slice(2));
      if (isOver || day === undefined) return;
      history.keep({ kind, id, day } as KeptDay);
      setCount((count) => count + 1);
    };
    void read();
    const timer = setInterval(() => void read(), dayEveryMs);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [kind, id, connection.kind === "open"]);
}

function spanButtons(chosen: SpanName, choose: (name: SpanName) => void): ComponentChild {
  const button = (name: SpanName): ComponentChild =>
    h(
      "button",
      { key: name, type: "button", "aria-pressed": name === chosen, onClick: () => choose(name) },
      name,
    );
  const names = Object.keys(spans) as SpanName[];
  return h("div", { class: "spans", role: "group", "aria-label": "Plots of" }, names.map(button));
}

interface PlotParts {
  readonly moment: Moment;
  readonly history: History;
  /** Length of the time axis in seconds. */
  readonly span: number;
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
  { id, status }: Extract<Selected, { kind: "link" }>,
  { moment, history, span }: PlotParts,
): ComponentChild {
  const samples = history.ofLink(id);
  const now = moment.now / 1_000;
  const frames = frameRates(samples);
  const numbers = values(samples, (s) => s.pnUsed);
  const peers = values(samples, (s) => s.livePeers);
  const newest = moment.isStale ? null : status.newest;
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
      ...{ data: frames, now, span, least: 10, tick: short },
    }),
    h(Plot, {
      title: "Packet numbers used",
      lines: [line("of this SAK", "line-good", [], percentText(newest?.pnUsed ?? null))],
      ...{ data: numbers, now, span, least: 0.01, tick: percent },
    }),
    h(Plot, {
      title: "MKA live peers",
      lines: [line("now", "line-good", [], peersNow === null ? "not known" : String(peersNow))],
      ...{
        data: peers,
        now,
        span,
        least: 2,
        tick: (value: number) => (value % 1 === 0 ? String(value) : ""),
      },
    }),
  );
  return h("div", null, plots, linkFacts(status, moment));
}

function linkFacts(status: PageLink, moment: Moment): ComponentChild {
  const { mka, frames, ages, keys } = status;
  return h(
    "dl",
    { class: "facts many" },
    fact("suite in use", status.suite ?? "none or not known"),
    fact("controlled port", status.controlledPort ?? "not known"),
    fact("key server", mka?.keyServer ?? "not known"),
    fact("key", keyText(status, moment)),
    fact("accepted version", status.keyVersion ?? "none known"),
    fact("next key", status.keyNext === null ? "none" : shortCkn(status.keyNext)),
    fact("keys on the port", keys === null ? "not known" : keysText(keys)),
    fact("BGP", status.bgp ?? "not known"),
    fact("traffic", drainText(status.drained)),
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
  { id, status }: Extract<Selected, { kind: "tunnel" }>,
  { moment, history, span }: PlotParts,
): ComponentChild {
  const samples = history.ofTunnel(id);
  const now = moment.now / 1_000;
  const packets = rates(samples, [(s) => s.received, (s) => s.sent]);
  const numbers = values(samples, (s) => s.sequenceUsed);
  const used = moment.isStale ? null : (status.newest?.sequenceUsed ?? null);
  const plots = h(
    "div",
    { class: "plots" },
    h(Plot, {
      title: "Packets",
      lines: [
        rateLine(packets, 0, moment, ["received", "line-good", []]),
        rateLine(packets, 1, moment, ["sent", "line-odd", [7, 4]]),
      ],
      ...{ data: packets, now, span, least: 10, tick: short },
    }),
    h(Plot, {
      title: "Life of the SA: sequence numbers used",
      lines: [line("of the SA that has used most", "line-good", [], percentText(used))],
      ...{ data: numbers, now, span, least: 0.01, tick: percent },
    }),
  );
  const gateway =
    status.azure === null
      ? "not asked"
      : `${status.azure.connection}, ${ageText(status.azure.ageMs, moment.ageMs)}`;
  const facts = h(
    "dl",
    { class: "facts many" },
    fact("device", status.device),
    fact("local", status.local),
    fact("remote", status.remote),
    fact("IKE", status.ike ?? "not known"),
    fact("SAs", String(status.saCount ?? "not known")),
    fact("inside the MACsec of", status.insideMacsec ?? "no group"),
    fact("gateway reports", gateway),
  );
  return h("div", null, plots, facts);
}
