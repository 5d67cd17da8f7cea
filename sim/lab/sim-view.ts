// The live picture of a simulated site: two links, what runs, what happens. A pure function from a
// scene to text; colour only repeats what the text says.

import type { Paint } from "#agent/cli/paint.ts";
import type { Verdict } from "#agent/model/health.ts";
import { columns } from "#agent/model/text.ts";

/** How a link treats data frames now. */
type LinkState = "protected" | "clear" | "dark";

export interface SceneLink {
  readonly name: string;
  readonly edge: string;
  readonly far: string;
  readonly state: LinkState;
  readonly drained: boolean;
  readonly verdict: Verdict | undefined;
  /** Frames per second on the fibre, both directions together. */
  readonly protectedPps: number;
  readonly clearPps: number;
}

export interface Happening {
  readonly atMs: number;
  readonly code: string;
  readonly about: string;
  readonly text: string;
}

export interface Scene {
  readonly title: string;
  /** Virtual date and time. */
  readonly at: string;
  readonly sinceStartMs: number;
  readonly speed: string;
  readonly links: readonly SceneLink[];
  readonly tunnels: readonly { readonly name: string; readonly verdict: Verdict }[];
  /** What runs and what it waits for, one line each. */
  readonly campaigns: readonly string[];
  readonly happenings: readonly Happening[];
  readonly hint: string;
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** On a narrower screen a link takes two lines, and events are shown without their codes. */
const wideColumns = 120;
const fibreWidth = { narrow: 20, wide: 24 };

/**
 * Returns the lines for a screen: none is longer than the screen is wide, and its last row stays
 * free.
 */
export function drawScene(scene: Scene, paint: Paint, screen: Screen, tick: number): string[] {
  const { title, at, sinceStartMs, speed, tunnels, campaigns, hint } = scene;
  const shown = tunnels.map(({ name, verdict }) => `${name} ${paint.verdict(verdict)}`);
  const head = [
    `${paint.strong(title)}  ${paint.faint(`${at}  ${clockText(sinceStartMs)} at ${speed}`)}`,
    "",
    ...linkLines(scene.links, paint, screen, tick),
    "",
    shown.length === 0 ? paint.faint("no tunnels yet") : `tunnels  ${shown.join("   ")}`,
    ...(campaigns.length === 0 ? [paint.faint("no campaign runs")] : campaigns),
    "",
  ];
  const room = Math.max(0, screen.rows - head.length - 3);
  const line = screen.columns >= wideColumns ? happeningLine : shortLine;
  const log = scene.happenings.slice(-room).map(line);
  const foot = ["", paint.faint(hint)];
  const lines = [...head, ...(room === 0 ? [] : log), ...foot];
  return lines.slice(0, screen.rows - 1).map((text) => clip(text, screen.columns));
}

/** Returns one event, in fixed columns. */
export function happeningLine({ atMs, code, about, text }: Happening): string {
  return `${secondsText(atMs)}  ${about.padEnd(20)}  ${code.padEnd(22)}  ${text}`;
}

function shortLine({ atMs, code, about, text }: Happening): string {
  const state = code.startsWith("campaign-") ? `${code.slice("campaign-".length)}: ` : "";
  return `${secondsText(atMs)}  ${about.padEnd(18)}  ${state}${text}`;
}

function secondsText(ms: number): string {
  return (ms / 1000).toFixed(1).padStart(8);
}

function linkLines(
  links: readonly SceneLink[],
  paint: Paint,
  screen: Screen,
  tick: number,
): string[] {
  const isWide = screen.columns >= wideColumns;
  const width = isWide ? fibreWidth.wide : fibreWidth.narrow;
  const shown = (link: SceneLink): string[] => [rateText(link), agentText(link, paint)];
  const rows = columns(
    links.map((link) => [
      link.edge,
      paintState(link, paint, fibre(link, width, tick)),
      link.far,
      paintState(link, paint, stateText(link)),
      ...(isWide ? shown(link) : []),
    ]),
  );
  return rows.flatMap((row, index) => {
    const link = links[index];
    return isWide || link === undefined ? [` ${row}`] : [` ${row}`, `   ${shown(link).join("  ")}`];
  });
}

function agentText({ verdict }: SceneLink, paint: Paint): string {
  return verdict === undefined ? "" : `${paint.faint("agent:")} ${paint.verdict(verdict)}`;
}

function stateText({ state, drained }: SceneLink): string {
  return drained ? `${state}, drained` : state;
}

function rateText({ protectedPps, clearPps }: SceneLink): string {
  const clear = `${Math.round(clearPps)}/s clear`;
  return `${Math.round(protectedPps)}/s protected, ${clear}`;
}

function paintState({ state }: SceneLink, paint: Paint, text: string): string {
  switch (state) {
    case "protected":
      return paint.verdict("protected").replace("protected", text);
    case "clear":
      return paint.verdict("degraded").replace("degraded", text);
    case "dark":
      return paint.bad(text);
  }
}

const strokes: Readonly<Record<LinkState, string>> = { protected: "═", clear: "─", dark: "·" };

// One moving frame in each direction shows that frames pass.
function fibre({ state, protectedPps, clearPps }: SceneLink, width: number, tick: number): string {
  const cells = Array.from({ length: width }, () => strokes[state]);
  if (state === "dark") cells[Math.floor(width / 2)] = "×";
  else if (protectedPps + clearPps >= 1) {
    cells[tick % width] = "▸";
    cells[(2 * width - 1 - (tick % width) + Math.floor(width / 2)) % width] = "◂";
  }
  return cells.join("");
}

function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const pad = (value: number): string => String(value).padStart(2, "0");
  return `${pad(Math.floor(seconds / 60))}:${pad(seconds % 60)}`;
}

const esc = String.fromCharCode(27);
const pieces = new RegExp(`${esc}\\[[0-9;]*m|.`, "gsu");

/** Cuts the visible text and keeps every style sequence, so that no colour runs on. */
function clip(line: string, width: number): string {
  const parts = line.match(pieces) ?? [];
  const visible = parts.filter((part) => !part.startsWith(esc)).length;
  if (visible <= width) return line;
  let left = width - 1;
  return parts
    .map((part) => {
      if (part.startsWith(esc)) return part;
      left -= 1;
      return left >= 0 ? part : left === -1 ? "…" : "";
    })
    .join("");
}
