// What may end in the middle of a rotation of the second host's link, and what became of rotation
// and traffic.

import { setTimeout as rest } from "node:timers/promises";
import type { CampaignState } from "#agent/model/campaign.ts";
import { lostOf } from "../../kernel/host/router.ts";
import { group, type PairEnd, type PairLab } from "./pair-lab.ts";

export interface Strike {
  readonly title: string;
  /** Struck once the campaign is in this state. */
  readonly at: CampaignState;
  /** Resolves once what ended is back. */
  readonly run: (lab: PairLab) => Promise<void>;
  /** `nothing`: no packet may be lost; `failover`: those of a link whose host died. */
  readonly loses: "nothing" | "failover";
}

const pathMs = 45_000;
const restartMs = 1_000;
const bootMs = 20_000;

/** The states of a rotation whose far end the agent changes, in order. */
const states = [
  ...["draining", "staging", "switching", "proving", "retiring", "restoring"],
] as const satisfies readonly CampaignState[];

const pathCuts: readonly Strike[] = states.map((at) => ({
  ...{ title: `path cut for ${pathMs / 1000} s`, at, loses: "nothing" },
  async run(lab) {
    lab.path("down");
    await rest(pathMs);
    lab.path("up");
  },
}));

const killed: readonly Strike[] = (["net", "mka", "peer"] as const).map((daemon) => ({
  ...{ title: `edge-b: linkseal-${daemon} killed`, at: "switching", loses: "nothing" },
  async run({ second }) {
    await second.kill(daemon);
    // systemd starts it again after this time.
    await rest(restartMs);
    await second.start(daemon);
  },
}));

const dead: readonly Strike[] = [
  {
    ...{ title: "edge-b loses its power, and boots", at: "switching", loses: "failover" },
    async run({ second }) {
      await second.powerOff();
      await rest(bootMs);
      await second.boot();
    },
  },
  {
    ...{ title: "edge-a and the agent lose their power", at: "switching", loses: "failover" },
    async run(lab) {
      await lab.first.powerOff();
      await rest(bootMs);
      await lab.first.boot();
      await lab.startAgent();
    },
  },
];

/** All of them. */
export const strikes: readonly Strike[] = [...pathCuts, ...killed, ...dead];

export interface Result extends PairEnd, Pick<Strike, "title" | "loses"> {
  readonly at: CampaignState | undefined;
  readonly sent: number;
  /** Packets lost from the site, and to it. */
  readonly lost: readonly [out: number, back: number];
  /** The longest time in ms in which no packet arrived, in either direction. */
  readonly silenceMs: number;
  /** Frames of data in the clear. */
  readonly clear: number;
}

/** Returns true if only that is lost which may be, and the campaign ended. */
export function isGood({ outcomes, loses, lost, clear, title }: Result): boolean {
  const isWhole = loses === "failover" || lost[0] + lost[1] === 0;
  // Before an enrolment everything is in the clear.
  const isSealed = clear === 0 || title.startsWith("enrolment");
  return isWhole && isSealed && !/^(?:held|not over)/.test(outcomes);
}

/** Plays under traffic, from a few seconds before until a few after. */
export async function underTraffic(
  lab: PairLab,
  title: string,
  play: () => Promise<PairEnd>,
): Promise<Result> {
  const stop = await lab.traffic();
  await rest(3_000);
  const clearBefore = lab.clear();
  const end = await play();
  await rest(3_000);
  const counters = await stop();
  const silences = counters.map(({ silence }) => silence.until - silence.from);
  return {
    ...{ ...end, title, at: undefined, loses: "nothing" },
    sent: counters.reduce((sum, { sent }) => sum + sent, 0),
    lost: lostOf(counters),
    silenceMs: Math.round(Math.max(...silences)),
    clear: lab.clear() - clearBefore,
  };
}

/** Rotates the second host's link under traffic, and strikes once on the way. */
export async function struck(lab: PairLab, { title, at, loses, run }: Strike): Promise<Result> {
  let striking: Promise<void> | undefined;
  const play = async (): Promise<PairEnd> => {
    const end = await lab.rotate(`${group}/secondary`, async ({ state }) => {
      if (state === at) striking ??= run(lab);
    });
    if (striking === undefined) throw new Error(`the rotation was never in the state ${at}`);
    await striking;
    return end;
  };
  return { ...(await underTraffic(lab, title, play)), at, loses };
}

/** The table of the results. */
export function resultsText(results: readonly Result[]): string {
  const rows = results.map(({ title, at, outcomes, seconds, sent, lost, silenceMs, clear }) => [
    ...[title, at ?? "", outcomes, `${seconds} s`, String(sent)],
    ...[String(lost[0]), String(lost[1]), `${silenceMs} ms`, String(clear)],
  ]);
  const head = ["what ends", "at", "end", "took", "sent", "lost", "back", "silent", "clear"];
  const all = [head, ...rows];
  const widths = head.map((_name, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return all.map((row) => line(row).trimEnd()).join("\n");
}
