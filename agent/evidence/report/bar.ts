// The bar of the printed report that shows a link or tunnel over time, with its axis and legend.

import type { Report, Subject } from "./document.ts";
import { type Look, partsOf, workOn } from "./outages.ts";
import { safe } from "./table.ts";

/** Heights of 20: the parts of the bar differ without colour too. */
const heights: Readonly<Record<Look, number>> = {
  protected: 20,
  unplanned: 12,
  planned: 6,
  unknown: 0,
};
const names: Readonly<Record<Look, string>> = {
  protected: "protected",
  unplanned: "not protected, unplanned",
  planned: "not protected, planned",
  unknown: "unknown",
};

const looks: readonly Look[] = ["protected", "unplanned", "planned", "unknown"];

function boxOf(look: Look, x: number, width: number): string {
  const height = heights[look];
  if (height === 0) return "";
  return `<rect class="${look}" x="${x}" y="${20 - height}" width="${width}" height="${height}"/>`;
}

function legendItem(look: Look): string {
  const box = `<svg aria-hidden="true" viewBox="0 0 26 20">${boxOf(look, 0, 26)}</svg>`;
  return `<li>${box}${names[look]}</li>`;
}

/** What each part of a bar means. */
export const legend = `<ul class="legend">${looks.map(legendItem).join("")}</ul>`;

const width = 1_000_000;
/** A short outage stays visible beside a year of protection. */
const leastWidth = 1_000;
const ticks = 5;

/** Renders the bar of a subject over the whole period. */
export function barOf(subject: Subject, report: Report): string {
  const { from, to } = report.about;
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const place = (at: number): number => Math.round(((at - start) / (end - start)) * width);
  const parts = partsOf(subject, workOn(subject.name, report));
  // Outages are drawn over what is protected beside them.
  const ordered = looks.flatMap((look) => parts.filter((part) => part.look === look));
  const boxes = ordered.map(({ look, from: at, to: until }) => {
    const own = place(until) - place(at);
    return boxOf(look, place(at), look === "protected" ? own : Math.max(own, leastWidth));
  });
  const label = `When ${safe(subject.name)} was protected; the table below has the same in words`;
  const box = `viewBox="0 0 ${width} 20" preserveAspectRatio="none"`;
  const labels = Array.from({ length: ticks }, (_, tick) =>
    axisText(start + ((end - start) * tick) / (ticks - 1), end - start),
  );
  return (
    `<figure><svg class="bar" role="img" aria-label="${label}" ${box}>${boxes.join("")}</svg>` +
    `<div class="axis">${labels.map((text) => `<span>${text}</span>`).join("")}</div></figure>`
  );
}

const twoDaysMs = 172_800_000;

/** A day on a long axis, else a day and a time. */
function axisText(at: number, lengthMs: number): string {
  const text = new Date(at).toISOString().replace("T", " ");
  return text.slice(0, lengthMs > twoDaysMs ? 10 : 16);
}
