// The recording of `npm run lab -- record`, as docs/timelines.md shows it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { reasonText } from "#agent/model/reason-text.ts";
import type { Move, Range, Recording } from "./lab/recording.ts";
import { markdownTable, spanText } from "./timelines.ts";

const path = join(import.meta.dirname, "recorded-rotation.json");

export function recorded(): Recording {
  return JSON.parse(readFileSync(path, "utf8")) as Recording;
}

/** Returns the time from the first move to the last, in ms. */
export function tookMs(moves: readonly Move[]): number {
  return (moves.at(-1)?.ms ?? 0) - (moves[0]?.ms ?? 0);
}

/** Returns the part of the document about runs on a real kernel, by the name of its place. */
export function realRotation(): Readonly<Record<"real", string>> {
  const { kernel, drained, undrained, supplicantsMs } = recorded();
  const { sent, received, clear, steps, rehearsed, replayed, far } = drained;
  const lines = steps.map(({ ms, link, state, reason }, index) => {
    const twin = rehearsed[index];
    const isSame = twin?.link === link && twin.state === state;
    const [from, twinFrom] = [steps[0]?.ms ?? 0, rehearsed[0]?.ms ?? 0];
    const there = isSame ? spanText(twin.ms - twinFrom + from) : "-";
    return { ms, cells: [there, link, `\`${state}\``, reasonText(reason)] };
  });
  const changed = far.map(({ ms, link }) => ({
    ms,
    cells: ["", link, "", "**the far end is there with its new key**"],
  }));
  const rows = [...lines, ...changed]
    .toSorted((a, b) => a.ms - b.ms)
    .map(({ ms, cells }) => [spanText(ms), ...cells]);
  const dark = undrained.map(({ link, predicted, darkMs, oursMs }) => [
    ...[link, rangeText(predicted.theirs), tenths(darkMs - oursMs)],
    ...[rangeText(predicted.ours), tenths(oursMs)],
  ]);
  return {
    real: [
      `Linux ${kernel}. Of ${sent} packets that crossed the drained pair ${received} came; ` +
        `${clear} frames of data were in the clear. It took ${spanText(tookMs(steps))}; the ` +
        "simulator, beside a person and a far end as quick as these were, takes " +
        `${spanText(tookMs(replayed))} for the same ${replayed.length} moves.`,
      markdownTable([["time", "rehearsed", "link", "state", "what happens"], ...rows]),
      "The same without a drain, beside what `rotate --dry-run` said after the run above. " +
        `Two of wpa_supplicant, started at one moment, need ${tenths(supplicantsMs)} alone.`,
      markdownTable([["link", "theirs, predicted", "theirs", "ours, predicted", "ours"], ...dark]),
    ].join("\n\n"),
  };
}

const tenths = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const rangeText = ({ low, likely, high }: Range): string =>
  `${tenths(likely)} (${tenths(low)} to ${tenths(high)})`;
