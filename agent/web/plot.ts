// A live plot: uPlot on a canvas, with the newest values as text beside it.

import { type ComponentChild, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Lines } from "./history.ts";

export interface PlotLine {
  readonly name: string;
  /** Name of a colour in the style sheet. */
  readonly colour: string;
  readonly dash: readonly number[];
  /** The newest value as text. */
  readonly now: string;
}

export interface PlotProps {
  readonly title: string;
  readonly lines: readonly PlotLine[];
  readonly data: Lines;
  /** Right end of the time axis, in seconds. */
  readonly now: number;
  /** Length of the time axis in seconds, unless there are only younger samples. */
  readonly span: number;
  /** Smallest upper end of the value axis. */
  readonly least: number;
  readonly tick: (value: number) => string;
}

const height = 118;
const leastSeconds = 120;
/** Distances of the time axis's labels, in seconds. */
const stepSeconds = [
  ...[10, 15, 30, 60, 120, 300, 600, 900, 1_800],
  ...[3_600, 7_200, 14_400, 21_600],
] as const;

export function Plot(props: PlotProps): ComponentChild {
  const { title, lines, data, now } = props;
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const newest = useRef(props);
  newest.current = props;
  const scheme = useScheme();
  useEffect(() => {
    const { current: element } = holder;
    if (element === null) return undefined;
    const drawn = new uPlot(options(newest, element), aligned(newest.current.data), element);
    plot.current = drawn;
    const watcher = new ResizeObserver(() => {
      drawn.setSize({ width: Math.max(120, element.clientWidth), height });
    });
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [scheme, lines.length]);
  useEffect(() => plot.current?.setData(aligned(data)), [data.at.length, data.at.at(-1), now]);
  const figures = lines.map(({ name, now: figure }) => `${name} ${figure}`).join(", ");
  return h(
    "figure",
    { class: "plot" },
    h(
      "figcaption",
      null,
      h("span", { class: "plot-title" }, title),
      h(
        "ul",
        null,
        lines.map(({ name, colour, now: figure }) =>
          h(
            "li",
            { key: name, class: `line ${colour}` },
            h("i", null),
            `${name} `,
            h("b", null, figure),
          ),
        ),
      ),
    ),
    h("div", { ref: holder, role: "img", "aria-label": `${title}: ${figures}` }),
  );
}

/** Counts changes of the style sheet's colours. */
function useScheme(): number {
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const again = (): void => setScheme((before) => before + 1);
    dark.addEventListener("change", again);
    return () => dark.removeEventListener("change", again);
  }, []);
  return scheme;
}

function aligned({ at, lines }: Lines): uPlot.AlignedData {
  return [[...at], ...lines.map((line) => [...line])];
}

function options(props: { readonly current: PlotProps }, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("muted"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: colour("edge"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(120, element.clientWidth),
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC"),
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 26, 0, 0],
    scales: {
      x: { time: true, range: () => span(props.current) },
      y: { range: (_plot, _low, high) => [0, Math.max(props.current.least, (high ?? 0) * 1.15)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        space: 70,
        incrs: [...stepSeconds],
        values: (_plot, ticks) => ticks.map((tick) => clockText(tick, ticks)),
      },
      { ...axis, size: 48, space: 28, values: (_plot, ticks) => ticks.map(props.current.tick) },
    ],
    series: [
      {},
      ...props.current.lines.map(({ name, colour: own, dash }) => ({
        label: name,
        stroke: colour(own),
        width: 1.75,
        dash: [...dash],
        points: { show: false },
      })),
    ],
  };
}

/** Returns the time span: as far back as samples go, and no further than is wanted. */
function span({ data, now, span: most }: PlotProps): [number, number] {
  const first = data.at[0] ?? now;
  return [Math.min(Math.max(first, now - most), now - leastSeconds), now];
}

/** Returns a time of day, with seconds where the labels are less than a minute apart. */
function clockText(seconds: number, ticks: readonly number[]): string {
  const [first = 0, second = first + 60] = ticks;
  const end = second - first < 60 ? 19 : 16;
  return new Date(seconds * 1_000).toISOString().slice(11, end);
}
