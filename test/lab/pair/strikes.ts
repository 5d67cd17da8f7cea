// What may end in the middle of a rotation of the second host's link, and what became of rotation
// and traffic.

import { setTimeout as rest } from "node:timers/promises";
import type { CampaignState } from "#agent/model/campaign.ts";
import { lostOf } from "../../kernel/host/router.ts";
import type { TrafficCounters } from "../../kernel/host/traffic.ts";
import { until } from "../../kernel/lab.ts";
import type { Process } from "./edge-host.ts";
import { group, type PairEnd, type PairLab } from "./pair-lab.ts";

export interface Strike {
  readonly title: string;
  /** The link that is rotated: that of the second host, or its sibling on the agent's host. */
  readonly rotates: "primary" | "secondary";
  /** Struck once the campaign is in this state, or once the second host has a change to undo. */
  readonly at: CampaignState | "armed";
  /** Resolves once what ended is back. */
  readonly run: (lab: PairLab) => Promise<void>;
  /** `nothing`: no packet may be lost; `failover`: those of a link whose host died. */
  readonly loses: "nothing" | "failover";
  /** What becomes of the rotation. */
  readonly ends: string;
}

/** What becomes of an enrolment of both links. */
export const enrolled = "primary enrolled, secondary enrolled";

/** 200 packets a second. */
const dense = { everyMs: 5, turnMs: 20 } as const;
/** 40 packets a second, for what takes minutes. */
const seldom = { everyMs: 25, turnMs: 100 } as const;
const pathMs = 45_000;
/** Shorter than a reading stays fresh. */
const blinkMs = 5_000;
const restartMs = 1_000;
const bootMs = 20_000;
/** Longer than a change waits for its confirmation. */
const undoneMs = 180_000;
/** The agent confirms within a second. */
const armedMs = 50;

type Rotates = Strike["rotates"];

const switching = (rotates: Rotates): Omit<Strike, "title" | "run"> => ({
  ...{ rotates, at: "switching", loses: "nothing", ends: `${rotates} rotated` },
});

const pathCut = (rotates: Rotates, ms: number): Strike => ({
  ...{ ...switching(rotates), title: `path cut for ${ms / 1000} s` },
  async run(lab) {
    lab.path("down");
    await rest(ms);
    lab.path("up");
  },
});

const killed = (rotates: Rotates, process: Process): Strike => ({
  ...{ ...switching(rotates), title: `edge-b: linkseal-${process} killed` },
  async run({ second }) {
    await second.kill(process);
    // systemd starts it again after this time.
    await rest(restartMs);
    await second.start(process);
  },
});

const dead: readonly Strike[] = [
  {
    ...{ ...switching("secondary"), title: "edge-b loses its power, and boots" },
    async run({ second }) {
      await second.powerOff();
      await rest(bootMs);
      await second.boot();
    },
  },
  {
    ...{ title: "edge-a ends, until edge-b has undone what waits", rotates: "secondary" },
    ...{ at: "armed", loses: "failover", ends: "secondary reverted" },
    async run(lab) {
      await lab.first.powerOff();
      if ((await lab.second.armed()) === undefined) throw new Error("nothing waits on edge-b");
      await until(async () => (await lab.second.armed()) === undefined || undefined, undoneMs);
      await lab.first.boot();
      await lab.startAgent();
    },
  },
];

/** All of them. */
export const strikes: readonly Strike[] = [
  pathCut("secondary", pathMs),
  ...(["net", "mka", "peer"] as const).map((process) => killed("secondary", process)),
  pathCut("primary", blinkMs),
  ...(["mka", "peer"] as const).map((process) => killed("primary", process)),
  ...dead,
];

export interface Result extends PairEnd, Pick<Strike, "title" | "loses" | "ends"> {
  readonly at: string;
  readonly sent: number;
  /** Packets lost from the site, and to it. */
  readonly lost: readonly [out: number, back: number];
  /** The longest time in ms in which no packet arrived, in either direction. */
  readonly silenceMs: number;
  /** Frames of data in the clear. */
  readonly clear: number;
}

/** BGP's hold time and a second, in which the sibling takes over. */
const failoverMs = 10_000;

/** Returns true if the rotation ended as it has to, and only that is lost which may be. */
export function isGood({ outcomes, ends, loses, lost, silenceMs, clear }: Result): boolean {
  const isWhole = loses === "failover" ? silenceMs < failoverMs : lost[0] + lost[1] === 0;
  return isWhole && clear === 0 && outcomes === ends;
}

/** Traffic between two ends; what it returns stops it. */
type Flow = () => Promise<() => Promise<readonly TrafficCounters[]>>;

/** Plays under traffic, from a few seconds before until a few after. */
async function underTraffic(
  lab: PairLab,
  { title, ends, loses }: Pick<Result, "title" | "ends" | "loses">,
  flows: readonly Flow[],
  play: () => Promise<PairEnd>,
): Promise<Result> {
  const stops = await Promise.all(flows.map((flow) => flow()));
  await rest(3_000);
  const clearBefore = lab.clear();
  const end = await play();
  await rest(3_000);
  const counters = await Promise.all(stops.map((stop) => stop()));
  const all = counters.flat();
  const lost = counters.map(lostOf);
  return {
    ...{ ...end, title, ends, loses, at: "" },
    sent: all.reduce((sum, { sent }) => sum + sent, 0),
    lost: [sumOf(lost.map(([out]) => out)), sumOf(lost.map(([, back]) => back))],
    silenceMs: Math.round(Math.max(...all.map(({ silence }) => silence.until - silence.from))),
    clear: lab.clear() - clearBefore,
  };
}

const sumOf = (all: readonly number[]): number => all.reduce((sum, each) => sum + each, 0);

/** Rotates both links under 200 packets a second each way. */
export async function rotatedBoth(lab: PairLab): Promise<Result> {
  const ends = "primary rotated, secondary rotated";
  const about = { title: "rotation of both links", loses: "nothing", ends } as const;
  return await underTraffic(lab, about, [() => lab.traffic(dense)], () => lab.rotate());
}

/** Changes a setting of both links by a new config, under 200 packets a second each way. */
export async function changedBoth(lab: PairLab): Promise<Result> {
  const ends = "primary changed, secondary changed";
  const about = { title: "change of a setting of both links", loses: "nothing", ends } as const;
  return await underTraffic(lab, about, [() => lab.traffic(dense)], () => lab.change());
}

/** Rotates both links under 40 packets a second each way in the tunnel of each edge host. */
export async function rotatedUnderTunnels(lab: PairLab): Promise<Result> {
  await lab.openTunnels();
  const ends = "primary rotated, secondary rotated";
  const about = { title: "rotation under two tunnels", loses: "nothing", ends } as const;
  const flows = [lab.first, lab.second].map((host) => () => lab.tunnelTraffic(host, seldom));
  return await underTraffic(lab, about, flows, () => lab.rotate());
}

async function whenArmed({ second }: PairLab, at: Strike["at"]): Promise<void> {
  while (at === "armed" && (await second.armed()) === undefined) await rest(armedMs);
}

/** Rotates the second host's link under traffic, and strikes once on the way. */
export async function struck(lab: PairLab, strike: Strike): Promise<Result> {
  const { at, run, rotates } = strike;
  let striking: Promise<void> | undefined;
  const play = async (): Promise<PairEnd> => {
    const end = await lab.rotate(`${group}/${rotates}`, async ({ state }) => {
      if (state === at || (at === "armed" && state === "draining")) {
        striking ??= whenArmed(lab, at).then(() => run(lab));
        // It is awaited below.
        striking.catch(() => undefined);
      }
    });
    if (striking === undefined) throw new Error(`the rotation was never in the state ${at}`);
    await striking;
    return end;
  };
  const result = await underTraffic(lab, strike, [() => lab.traffic(seldom)], play);
  return { ...result, at: `${rotates} ${at}` };
}

/** The table of the results. */
export function resultsText(results: readonly Result[]): string {
  const rows = results.map(({ title, at, outcomes, seconds, sent, lost, silenceMs, clear }) => [
    ...[title, at, outcomes, `${seconds} s`, String(sent)],
    ...[String(lost[0]), String(lost[1]), `${silenceMs} ms`, String(clear)],
  ]);
  const head = ["what ends", "at", "end", "took", "sent", "lost", "back", "silent", "clear"];
  const all = [head, ...rows];
  const widths = head.map((_name, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return all.map((row) => line(row).trimEnd()).join("\n");
}
